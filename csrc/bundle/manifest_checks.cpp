// manifest_checks.cpp: cross references and shapes between a manifest's sections.
#include "bundle/manifest_checks.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "bundle/manifest.hpp"
#include "bundle/manifest_generation.hpp"
#include "bundle/manifest_kinds.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

/// The shape as the manifest writes it: ["batch", 3, 100].
std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += dimension < 0 ? "\"batch\"" : std::to_string(dimension);
  }
  return text + "]";
}

template <typename Items, typename Member>
std::vector<std::string_view> names_of(const Items& items, Member member) {
  std::vector<std::string_view> names;
  names.reserve(items.size());
  for (const auto& item : items) names.push_back(item.*member);
  return names;
}

constexpr std::string_view kPresenceRule = "modalities of the bundle, each once, in its order";

/// The first name that breaks kPresenceRule, or nullptr.
const std::string* misplaced(const std::vector<std::string>& names, const Manifest& manifest) {
  auto next = manifest.modalities.begin();
  for (const std::string& name : names) {
    next = std::find_if(next, manifest.modalities.end(),
                        [&](const ModalityDescription& each) { return each.name == name; });
    if (next == manifest.modalities.end()) return &name;
    ++next;
  }
  return nullptr;
}

/// The checks of one manifest, with what they need to say where they failed.
class Checks {
 public:
  Checks(const Manifest& manifest, const std::string& where) : manifest_(manifest), where_(where) {}

  void graphs() const {
    for (std::size_t index = 0; index < manifest_.graphs.size(); ++index) {
      const GraphDescription& graph = manifest_.graphs[index];
      const std::string path = at("graphs", index);
      if (graph.role == GraphRole::kEncoder) {
        if (graph.inputs.size() != 1) {
          fail(path + ".inputs", "one input 'sample'", std::to_string(graph.inputs.size()));
        }
        expect_name(path + ".inputs[0].name", "sample", graph.inputs[0].name);
        expect_name(path + ".outputs[0].name", "embedding", graph.outputs[0].name);
        expect_float32(path + ".outputs[0]", graph.outputs[0]);
      } else if (graph.role == GraphRole::kHead) {
        head_inputs(graph, path + ".inputs");
      }
    }
  }

  void modalities() const {
    for (std::size_t index = 0; index < manifest_.modalities.size(); ++index) {
      const ModalityDescription& modality = manifest_.modalities[index];
      const std::string path = at("modalities", index);
      text_members(modality.text, path + ".text");
      if (modality.encoder.empty()) continue;
      const GraphDescription& encoder =
          graph_named(modality.encoder, GraphRole::kEncoder, path + ".encoder");
      const TensorDescription input = manifest_kind(modality).input(modality);
      const std::string here = path + ".encoder, graph " + quote(encoder.name) + ", input 'sample'";
      expect_shape(here, input.shape, encoder.inputs[0].shape);
      expect_dtype(here, input.dtype, encoder.inputs[0]);
      if (!modality.text.bank.empty()) {
        expect_shape(path + ".text.bank.embedding", encoder.outputs[0].shape,
                     embedding_shape(modality, path));
      }
    }
  }

  void heads() const {
    for (std::size_t index = 0; index < manifest_.heads.size(); ++index) {
      const HeadDescription& head = manifest_.heads[index];
      const std::string path = at("heads", index);
      const GraphDescription& graph = graph_named(head.graph, GraphRole::kHead, path + ".graph");
      head_embeddings(head, graph, path);
      head_output(head, graph, path);
      head_space(head, graph, path);
      if (head.kind == HeadKind::kGeneration) generation(head, graph, path + ".generation");
    }
  }

  void variants() const {
    for (std::size_t index = 0; index < manifest_.variants.size(); ++index) {
      const VariantDescription& variant = manifest_.variants[index];
      const std::string path = at("variants", index) + ".members";
      for (const GraphDescription& graph : manifest_.graphs) {
        if (!variant.members.contains(graph.name)) {
          fail(path, "a member for every graph", "none for " + quote(graph.name));
        }
      }
      for (const auto& [graph, member] : variant.members) {
        const std::string here = path + "[" + quote(graph) + "]";
        if (manifest_.graph(graph) == nullptr) fail(here, "a graph of the bundle", quote(graph));
        expect_member(here, member);
      }
    }
    expect_precision("default_precision", manifest_.default_precision);
  }

  void quality() const {
    std::set<std::tuple<std::string, std::vector<std::string>, std::string, std::string>> seen;
    for (std::size_t index = 0; index < manifest_.quality.size(); ++index) {
      const QualityRow& row = manifest_.quality[index];
      const std::string path = at("quality", index);
      if (manifest_.head(row.head) == nullptr) {
        fail(path + ".head", one_of(names_of(manifest_.heads, &HeadDescription::name)),
             quote(row.head));
      }
      expect_precision(path + ".precision", row.precision);
      if (const std::string* name = misplaced(row.presence, manifest_)) {
        fail(path + ".presence", std::string(kPresenceRule), quote(*name));
      }
      if (!seen.emplace(row.head, row.presence, row.precision, row.metric).second) {
        fail(path, "each head, presence, precision and metric once", "the same again");
      }
    }
  }

  void expect_precision(const std::string& path, const std::string& precision) const {
    if (manifest_.variant(precision) == nullptr) {
      fail(path, one_of(names_of(manifest_.variants, &VariantDescription::precision)),
           quote(precision));
    }
  }

  [[noreturn]] void fail(const std::string& path, std::string expected, std::string got) const {
    throw BundleError({.where = where_ + ", " + path,
                       .expected = std::move(expected),
                       .got = std::move(got),
                       .action = std::string(kExportAgain)});
  }

 private:
  static std::string at(const char* list, std::size_t index) {
    return std::string(list) + "[" + std::to_string(index) + "]";
  }

  void expect_name(const std::string& path, std::string_view expected,
                   const std::string& got) const {
    if (got != expected) fail(path, quote(expected), quote(got));
  }

  void expect_shape(const std::string& path, const std::vector<std::int64_t>& expected,
                    const std::vector<std::int64_t>& got) const {
    if (got != expected) fail(path, "shape " + shape_text(expected), shape_text(got));
  }

  void expect_dtype(const std::string& path, DType expected, const TensorDescription& got) const {
    if (got.dtype != expected) {
      fail(path, "elements of " + std::string(name_of(expected)), std::string(name_of(got.dtype)));
    }
  }

  void expect_float32(const std::string& path, const TensorDescription& tensor) const {
    expect_dtype(path, DType::kFloat32, tensor);
  }

  const GraphDescription& graph_named(const std::string& name, GraphRole role,
                                      const std::string& path) const {
    const GraphDescription* graph = manifest_.graph(name);
    if (graph == nullptr) {
      fail(path, one_of(names_of(manifest_.graphs, &GraphDescription::name)), quote(name));
    }
    if (graph->role != role) {
      const char* wanted = role == GraphRole::kEncoder ? "encoder"
                           : role == GraphRole::kHead  ? "head"
                                                       : "step";
      fail(path, std::string("a graph with role ") + wanted,
           quote(name) + ", which has another role");
    }
    return *graph;
  }

  /// Of the modality's bank, or else of its encoder's output, with -1 for the batch in front.
  std::vector<std::int64_t> embedding_shape(const ModalityDescription& modality,
                                            const std::string& path) const {
    if (modality.text.bank.empty()) {
      return graph_named(modality.encoder, GraphRole::kEncoder, path).outputs[0].shape;
    }
    std::vector<std::int64_t> shape = modality.text.bank_embedding;
    shape.insert(shape.begin(), -1);
    return shape;
  }

  void text_members(const TextDescription& text, const std::string& path) const {
    if (text.tokens == 0) return;  // a modality of another kind
    expect_member(path + ".tokenizer", text.tokenizer);
    if (!text.bank.empty()) expect_member(path + ".bank.member", text.bank);
  }

  void expect_member(const std::string& path, const std::string& member) const {
    if (!manifest_.members.contains(member)) fail(path, "one of members", quote(member));
  }

  /// One input per modality, none twice, then the mask over them.
  void head_inputs(const GraphDescription& graph, const std::string& path) const {
    for (const TensorDescription& input : graph.inputs) expect_float32(path, input);
    expect_float32(path + ", output", graph.outputs[0]);
    if (graph.inputs.size() < 2) {
      fail(path, "an input per modality, then 'presence'", std::to_string(graph.inputs.size()));
    }
    const std::size_t last = graph.inputs.size() - 1;
    const std::string mask = path + "[" + std::to_string(last) + "]";
    expect_name(mask + ".name", "presence", graph.inputs[last].name);
    expect_shape(mask + ".shape", {-1, static_cast<std::int64_t>(last)}, graph.inputs[last].shape);
    for (std::size_t index = 0; index < last; ++index) {
      if (manifest_.modality(graph.inputs[index].name) == nullptr) {
        fail(path + "[" + std::to_string(index) + "].name",
             one_of(names_of(manifest_.modalities, &ModalityDescription::name)),
             quote(graph.inputs[index].name));
      }
    }
  }

  void head_embeddings(const HeadDescription& head, const GraphDescription& graph,
                       const std::string& path) const {
    const std::size_t count = head.modalities.size();
    if (graph.inputs.size() != count + 1) {
      fail(path + ".modalities",
           "as many as graph " + quote(graph.name) +
               " has embeddings: " + std::to_string(graph.inputs.size() - 1),
           std::to_string(count));
    }
    for (std::size_t index = 0; index < count; ++index) {
      const TensorDescription& input = graph.inputs[index];
      const std::string here = path + ".modalities[" + std::to_string(index) + "]";
      expect_name(here, input.name, head.modalities[index]);
      expect_shape(here + ", graph " + quote(graph.name) + ", input " + quote(input.name),
                   embedding_shape(*manifest_.modality(input.name), here), input.shape);
    }
  }

  void head_output(const HeadDescription& head, const GraphDescription& graph,
                   const std::string& path) const {
    const TensorDescription& output = graph.outputs[0];
    const std::string here = path + ", graph " + quote(graph.name) + ", output";
    if (head.kind == HeadKind::kEmbedding) {
      expect_name(here, "embedding", output.name);
      if (!head.labels.empty()) fail(path + ".labels", "none for an embedding", "some");
    } else if (head.kind == HeadKind::kGeneration) {
      expect_name(here, "memory", output.name);
      if (output.shape.size() < 3 || output.shape[1] > kMaxMemoryParts) {
        fail(here,
             "shape [\"batch\", parts, ...], at most " + std::to_string(kMaxMemoryParts) + " parts",
             shape_text(output.shape));
      }
    } else {
      expect_name(here, head.kind == HeadKind::kRegression ? "value" : "logits", output.name);
      const auto labels = static_cast<std::int64_t>(head.labels.size());
      if (labels == 0) fail(path + ".labels", "one label per logit or value", "none");
      expect_shape(here + " (one per label)", {-1, labels}, output.shape);
    }
    const std::size_t units = head.kind == HeadKind::kRegression ? head.labels.size() : 0;
    if (head.units.size() != units) {
      fail(path + ".units", std::to_string(units) + ", one per value of a regression",
           std::to_string(head.units.size()));
    }
  }

  /// As many dimensions as the first head of the same space.
  void head_space(const HeadDescription& head, const GraphDescription& graph,
                  const std::string& path) const {
    if (head.space.name.empty()) return;
    for (const HeadDescription& other : manifest_.heads) {
      if (other.space.name != head.space.name || &other == &head) continue;
      const GraphDescription* theirs = manifest_.graph(other.graph);
      if (theirs == nullptr) continue;  // said where that head is checked
      expect_shape(path + ".space, which head " + quote(other.name) + " shares",
                   theirs->outputs[0].shape, graph.outputs[0].shape);
    }
  }

  void generation(const HeadDescription& head, const GraphDescription& memory,
                  const std::string& path) const {
    const GenerationDescription& described = head.generation;
    const GraphDescription& step = graph_named(described.step, GraphRole::kStep, path + ".step");
    const std::string here = path + ".step, graph " + quote(step.name);
    expect_tensors(here + ", inputs",
                   step_inputs(described, memory.outputs[0].shape, head.modalities.size()),
                   step.inputs);
    expect_tensors(here + ", outputs", step_outputs(described), step.outputs);
    if (!described.tokenizer.empty()) {
      expect_member(path + ".tokenizer", described.tokenizer);
      if (!head.labels.empty()) fail(path + ".tokenizer", "a tokenizer or labels", "both");
    } else if (head.labels.size() != static_cast<std::size_t>(described.vocabulary)) {
      fail(
          path,
          "a tokenizer, or a label for each of " + std::to_string(described.vocabulary) + " tokens",
          std::to_string(head.labels.size()) + " labels");
    }
  }

  void expect_tensors(const std::string& path, const std::vector<TensorDescription>& expected,
                      const std::vector<TensorDescription>& got) const {
    if (got.size() != expected.size()) {
      fail(path, std::to_string(expected.size()), std::to_string(got.size()));
    }
    for (std::size_t index = 0; index < got.size(); ++index) {
      const std::string here = path + "[" + std::to_string(index) + "]";
      expect_name(here + ".name", expected[index].name, got[index].name);
      expect_dtype(here, expected[index].dtype, got[index]);
      expect_shape(here + ".shape", expected[index].shape, got[index].shape);
    }
  }

  const Manifest& manifest_;
  const std::string& where_;
};

/// Keys such as "encode:gyroscope", each with a member.
void check_stages(const JsonReader& stages, const Manifest& manifest) {
  for (const auto& [stage, value] : stages.fields()) {
    const std::size_t colon = std::min(stage.find(':'), stage.size());
    const std::string kind = stage.substr(0, colon);
    const std::string name = colon < stage.size() ? stage.substr(colon + 1) : "";
    const bool known = kind == "fuse" || kind == "tokens"
                           ? manifest.head(name) != nullptr
                           : (kind == "sample" || kind == "prepare" || kind == "encode") &&
                                 manifest.modality(name) != nullptr;
    if (!known) {
      value.fail("sample:, prepare: or encode: with a modality, or fuse: or tokens: with a head",
                 quote(stage));
    }
    const std::string member = value.text(512);
    if (!manifest.members.contains(member)) value.fail("one of members", quote(member));
  }
}

}  // namespace

void check_references(const Manifest& manifest, const std::string& where) {
  const Checks checks(manifest, where);
  checks.graphs();
  checks.modalities();
  checks.heads();
  checks.variants();
  checks.quality();
}

void check_golden(const JsonReader& golden, const Manifest& manifest) {
  std::set<std::string> names;
  for (const JsonReader& golden_case : golden.field("cases").elements(0, kMaxRows)) {
    const JsonReader name = golden_case.field("name");
    if (!names.insert(name.text()).second) name.fail("each case's name once", "it twice");
    const JsonReader presence = golden_case.field("presence");
    const std::vector<std::string> present = presence.texts(1, kMaxModalities);
    if (const std::string* modality = misplaced(present, manifest)) {
      presence.fail(std::string(kPresenceRule), quote(*modality));
    }
    check_stages(golden_case.field("stages"), manifest);
    if (const auto precisions = golden_case.optional_field("precisions")) {
      for (const auto& [precision, stages] : precisions->fields()) {
        if (manifest.variant(precision) == nullptr) {
          stages.fail(one_of(names_of(manifest.variants, &VariantDescription::precision)),
                      quote(precision));
        }
        check_stages(stages, manifest);
      }
    }
  }
  for (const auto& [stage, tolerance] : golden.field("tolerance").fields()) {
    tolerance.number(0.0, std::numeric_limits<double>::max());
  }
}

}  // namespace plait::detail
