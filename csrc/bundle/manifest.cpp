// manifest.cpp: reads manifest.json section by section; manifest_checks.cpp then relates them.
#include "bundle/manifest.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json_reader.hpp"
#include "bundle/container.hpp"
#include "bundle/manifest_checks.hpp"
#include "bundle/manifest_generation.hpp"
#include "bundle/manifest_kinds.hpp"

namespace plait {
namespace {

template <typename Items, typename Member>
auto find_named(const Items& items, Member member, const std::string& name) noexcept {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const auto& item) { return item.*member == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

const ModalityDescription* Manifest::modality(const std::string& name) const noexcept {
  return find_named(modalities, &ModalityDescription::name, name);
}
const GraphDescription* Manifest::graph(const std::string& name) const noexcept {
  return find_named(graphs, &GraphDescription::name, name);
}
const HeadDescription* Manifest::head(const std::string& name) const noexcept {
  return find_named(heads, &HeadDescription::name, name);
}
const VariantDescription* Manifest::variant(const std::string& precision) const noexcept {
  return find_named(variants, &VariantDescription::precision, precision);
}

namespace detail {
namespace {

constexpr std::size_t kMaxDescription = 65536;
constexpr std::size_t kMaxLabel = 4096;
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 53;  // exact in every JSON reader
constexpr std::int64_t kMaxVersion = 1'000'000;
constexpr double kMaxLogit = 1e6;

void check_version(const JsonReader& root, Manifest& manifest) {
  const JsonReader format = root.field("format");
  if (format.prose(kMaxDescription) != "plait-bundle") format.fail("'plait-bundle'");
  const JsonReader version = root.field("format_version");
  const JsonReader major = version.field("major");
  manifest.format_major = static_cast<int>(major.integer(1, kMaxVersion));
  manifest.format_minor = static_cast<int>(version.field("minor").integer(0, kMaxVersion));
  if (manifest.format_major > kFormatMajor) {
    version.fail("format " + std::to_string(kFormatMajor) + ".x, the newest this plait reads",
                 "format " + std::to_string(manifest.format_major) + "." +
                     std::to_string(manifest.format_minor),
                 "Upgrade plait, or export the bundle with an older plait_export.");
  }
}

ModalityDescription parse_modality(const JsonReader& reader) {
  ModalityDescription modality;
  modality.name = reader.field("name").identifier();
  if (modality.name == "presence") {
    reader.field("name").fail("another name than presence, the mask's name in graphs");
  }
  std::vector<std::pair<const char*, const ManifestKind*>> kinds;
  for (const ManifestKind& kind : manifest_kinds()) kinds.emplace_back(kind.name, &kind);
  const ManifestKind& kind = *reader.field("kind").choice<const ManifestKind*>(kinds);
  modality.kind = kind.name;
  kind.parse(reader.field(kind.name), modality);
  // Only a bank of embeddings can stand in for an encoder.
  if (modality.text.bank.empty() || reader.optional_field("encoder")) {
    modality.encoder = reader.field("encoder").identifier();
  }
  modality.max_age_ms = reader.field("max_age_ms").positive(kMaxMilliseconds);
  modality.when_missing = reader.field("when_missing")
                              .choice<WhenMissing>({{"learned", WhenMissing::kLearned},
                                                    {"mask", WhenMissing::kMask},
                                                    {"refuse", WhenMissing::kRefuse}});
  return modality;
}

TensorDescription parse_tensor(const JsonReader& reader) {
  TensorDescription tensor;
  tensor.name = reader.field("name").identifier();
  tensor.dtype = reader.field("dtype").choice<DType>({{"float32", DType::kFloat32},
                                                      {"float16", DType::kFloat16},
                                                      {"uint8", DType::kUInt8},
                                                      {"int64", DType::kInt64}});
  const JsonReader shape = reader.field("shape");
  std::int64_t elements = 1;
  for (const JsonReader& dimension : shape.elements(2, kMaxRank)) {
    if (tensor.shape.empty()) {
      if (!dimension.is_text() || dimension.text() != "batch") dimension.fail("'batch'");
      tensor.shape.push_back(-1);
      continue;
    }
    const std::int64_t size = dimension.integer(1, kMaxElements);
    if (size > kMaxElements / elements) {
      shape.fail("at most " + std::to_string(kMaxElements) + " elements a sample", "more");
    }
    elements *= size;
    tensor.shape.push_back(size);
  }
  return tensor;
}

GraphDescription parse_graph(const JsonReader& reader) {
  GraphDescription graph;
  graph.name = reader.field("name").identifier();
  graph.role = reader.field("role").choice<GraphRole>(
      {{"encoder", GraphRole::kEncoder}, {"head", GraphRole::kHead}, {"step", GraphRole::kStep}});
  const bool step = graph.role == GraphRole::kStep;
  const std::size_t most_inputs = step ? kMaxStepTensors : kMaxModalities + 1;
  for (const JsonReader& input : reader.field("inputs").elements(1, most_inputs)) {
    graph.inputs.push_back(parse_tensor(input));
  }
  for (const JsonReader& output : reader.field("outputs").elements(1, step ? kMaxStepTensors : 1)) {
    graph.outputs.push_back(parse_tensor(output));
  }
  return graph;
}

std::vector<std::string> parse_labels(const JsonReader& reader, const char* key) {
  std::vector<std::string> result;
  const auto list = reader.optional_field(key);
  if (!list) return result;
  for (const JsonReader& element : list->elements(0, kMaxRows)) {
    result.push_back(element.text(kMaxLabel));
  }
  return result;
}

EmbeddingSpace parse_space(const JsonReader& reader) {
  EmbeddingSpace space;
  space.name = reader.field("name").identifier();
  space.normalized = reader.field("normalized").boolean();
  space.logit_scale = reader.field("logit_scale").positive(kMaxLogit);
  space.logit_bias = reader.field("logit_bias").number(-kMaxLogit, kMaxLogit);
  return space;
}

HeadDescription parse_head(const JsonReader& reader) {
  HeadDescription head;
  head.name = reader.field("name").identifier();
  if (head.name == "prepare" || head.name == "encode") {
    reader.field("name").fail("another name than prepare and encode, which are stages");
  }
  head.kind = reader.field("kind").choice<HeadKind>({{"classification", HeadKind::kClassification},
                                                     {"regression", HeadKind::kRegression},
                                                     {"embedding", HeadKind::kEmbedding},
                                                     {"generation", HeadKind::kGeneration}});
  head.graph = reader.field("graph").identifier();
  head.modalities = reader.field("modalities").unique_texts(1, kMaxModalities);
  head.labels = parse_labels(reader, "labels");
  head.units = parse_labels(reader, "units");
  if (const auto space = reader.optional_field("space")) {
    if (head.kind != HeadKind::kEmbedding) space->fail("none, but for an embedding", "one");
    head.space = parse_space(*space);
  }
  if (head.kind == HeadKind::kGeneration) {
    head.generation = parse_generation(reader.field("generation"));
  }
  return head;
}

VariantDescription parse_variant(const JsonReader& reader) {
  VariantDescription variant;
  variant.precision = reader.field("precision").identifier();
  variant.scheme = reader.field("scheme").text();
  variant.form = reader.field("form").choice<GraphForm>(
      {{"portable", GraphForm::kPortable}, {"fused", GraphForm::kFused}});
  if (const auto target = reader.optional_field("target")) {
    variant.target = target->choice<GraphTarget>(
        {{"onnxruntime", GraphTarget::kOnnxRuntime}, {"tensorrt", GraphTarget::kTensorRT}});
  }
  for (const auto& [graph, member] : reader.field("members").fields()) {
    variant.members.emplace(graph, member.text(kMaxMemberName));
  }
  return variant;
}

QualityRow parse_quality_row(const JsonReader& reader) {
  QualityRow row;
  row.head = reader.field("head").identifier();
  row.presence = reader.field("presence").texts(1, kMaxModalities);
  row.precision = reader.field("precision").identifier();
  row.metric = reader.field("metric").text();
  row.value = reader.field("value").number(std::numeric_limits<double>::lowest(),
                                           std::numeric_limits<double>::max());
  row.samples = reader.field("samples").integer(0, kMaxBytes);
  return row;
}

std::map<std::string, MemberDescription> parse_members(const JsonReader& reader) {
  std::map<std::string, MemberDescription> members;
  for (const auto& [name, value] : reader.fields()) {
    if (!is_member_name(name) || name == kManifestName) {
      value.fail("a relative name of printable characters", quote(name));
    }
    MemberDescription member;
    const JsonReader hash = value.field("sha256");
    member.sha256 = hash.prose(64);
    const bool hexadecimal =
        member.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (member.sha256.size() != 64 || !hexadecimal) {
      hash.fail("64 lower-case hexadecimal digits");
    }
    member.bytes = static_cast<std::uint64_t>(value.field("bytes").integer(0, kMaxBytes));
    members.emplace(name, std::move(member));
  }
  return members;
}

/// Every element of a list through parse, its key (a name, a precision) used once.
template <typename Item>
std::vector<Item> parse_list(const JsonReader& list, std::size_t max,
                             Item (*parse)(const JsonReader&), std::string Item::*key) {
  std::vector<Item> items;
  std::set<std::string> seen;
  for (const JsonReader& element : list.elements(1, max)) {
    items.push_back(parse(element));
    const std::string& name = items.back().*key;
    if (!seen.insert(name).second) {
      element.fail("each name once in " + list.path(), quote(name) + " twice");
    }
  }
  return items;
}

}  // namespace

Manifest parse_manifest(std::string_view text, const std::string& where) {
  const nlohmann::json document = parse_json(text, where);
  const JsonReader root(document, where, "");
  Manifest manifest;
  check_version(root, manifest);
  manifest.name = root.field("name").text();
  if (const auto description = root.optional_field("description")) {
    manifest.description = description->prose(kMaxDescription);
  }
  if (const auto created = root.optional_field("created")) created->prose(kMaxDescription);
  manifest.modalities = parse_list(root.field("modalities"), kMaxModalities, parse_modality,
                                   &ModalityDescription::name);
  manifest.graphs =
      parse_list(root.field("graphs"), kMaxGraphs, parse_graph, &GraphDescription::name);
  manifest.heads = parse_list(root.field("heads"), kMaxHeads, parse_head, &HeadDescription::name);
  manifest.variants = parse_list(root.field("variants"), kMaxVariants, parse_variant,
                                 &VariantDescription::precision);
  manifest.default_precision = root.field("default_precision").identifier();
  if (const auto quality = root.optional_field("quality")) {
    for (const JsonReader& row : quality->elements(0, kMaxRows)) {
      manifest.quality.push_back(parse_quality_row(row));
    }
  }
  manifest.members = parse_members(root.field("members"));
  check_references(manifest, where);
  if (const auto golden = root.optional_field("golden")) check_golden(*golden, manifest);
  return manifest;
}

}  // namespace detail
}  // namespace plait
