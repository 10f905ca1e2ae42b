// load.cpp: from an opened bundle to everything a run needs.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/onnxruntime/backend.hpp"
#include "backends/tensorrt/backend.hpp"
#include "plait/error.hpp"
#include "runtime/model_impl.hpp"

namespace plait {
namespace {

constexpr std::string_view kTensorRt = "tensorrt";

/// Of a device that has variants of its own, the first of them.
const std::string& default_precision(const Manifest& manifest, const std::string& device) {
  const auto made_for_it = [&](const VariantDescription& variant) {
    return device == kTensorRt && variant.target == GraphTarget::kTensorRT;
  };
  const auto found = std::find_if(manifest.variants.begin(), manifest.variants.end(), made_for_it);
  return found != manifest.variants.end() ? found->precision : manifest.default_precision;
}

std::string chosen_precision(const Bundle& bundle, const LoadOptions& options) {
  const Manifest& manifest = bundle.manifest();
  if (options.precision.empty()) return default_precision(manifest, options.device);
  if (manifest.variant(options.precision) != nullptr) return options.precision;
  std::string known;
  for (const VariantDescription& variant : manifest.variants) {
    known += (known.empty() ? "" : ", ") + variant.precision;
  }
  throw ConfigError({.where = bundle.name(),
                     .expected = "a precision of this bundle (" + known + ")",
                     .got = "'" + options.precision + "'",
                     .action = "Export again with the wanted precision, or leave it out."});
}

/// Shape of one sample: the declared one with a batch of 1.
Shape single(const TensorDescription& tensor) {
  std::vector<std::int64_t> dims = tensor.shape;
  dims.front() = 1;
  return Shape(dims);
}

/// Of the modality's encoder, or of the bank where there is none.
Shape embedding_of(const ModalityDescription& modality, const Manifest& manifest) {
  if (!modality.encoder.empty()) return single(manifest.graph(modality.encoder)->outputs.front());
  std::vector<std::int64_t> dims = modality.text.bank_embedding;
  dims.insert(dims.begin(), 1);
  return Shape(dims);
}

std::unique_ptr<detail::Backend> make_backend(const LoadOptions& options, int threads) {
  if (options.device == kTensorRt) return detail::make_tensorrt_backend(options);
  return detail::make_onnxruntime_backend(options, threads);
}

}  // namespace

void LoadOptions::validate() const {
  constexpr std::array<std::string_view, 5> kDevices = {"auto", "cpu", "tensorrt", "cuda",
                                                        "cuda-tensorrt"};
  if (std::find(kDevices.begin(), kDevices.end(), device) == kDevices.end()) {
    throw ConfigError({.where = "device",
                       .expected = "'auto', 'cpu', 'tensorrt', 'cuda' or 'cuda-tensorrt'",
                       .got = "'" + device + "'",
                       .action = ""});
  }
  constexpr int kMostThreads = 1024;
  if (threads < 0 || threads > kMostThreads) {
    throw ConfigError({.where = "threads",
                       .expected = "0 (every available CPU) to " + std::to_string(kMostThreads),
                       .got = std::to_string(threads),
                       .action = ""});
  }
}

ModelImpl::ModelImpl(Bundle bundle, const LoadOptions& options)
    : bundle_(std::move(bundle)),
      precision_(chosen_precision(bundle_, options)),
      pool_(options.threads > 0 ? options.threads : detail::available_cpus()),
      contract_(bundle_.manifest(), bundle_.name()) {
  backend_ = make_backend(options, pool_.threads());
  if (options.device == kTensorRt) frame_kernel_ = detail::open_frame_kernel(options.cuda_kernels);
  describe_modalities(options.verify);
  describe_heads(options.verify);
  load_graphs(options);
  (void)lend();  // the first set of buffers is made here, not in the first run
}

void ModelImpl::describe_modalities(bool verify) {
  const detail::PreprocessorResources resources{
      .member = [&](const std::string& name) { return bundle_.member(name, verify); },
      .pool = &pool_};
  for (const ModalityDescription& modality : manifest().modalities) {
    ModalityRuntime runtime;
    runtime.where = bundle_.name() + ", modality " + modality.name;
    runtime.preprocessor = detail::make_preprocessor(modality, runtime.where, resources);
    runtime.input = runtime.preprocessor->input_shape();
    runtime.input_dtype = runtime.preprocessor->input_dtype();
    runtime.embedding = embedding_of(modality, manifest());
    modalities_.push_back(std::move(runtime));
  }
}

void ModelImpl::describe_heads(bool verify) {
  for (const HeadDescription& head : manifest().heads) {
    HeadRuntime runtime;
    runtime.where = bundle_.name() + ", head " + head.name;
    runtime.description = &head;
    for (const std::string& modality : head.modalities) {
      runtime.modalities.push_back(contract_.index_of(modality));
    }
    runtime.output = single(manifest().graph(head.graph)->outputs.front());
    if (const std::string& member = head.generation.tokenizer; !member.empty()) {
      const std::span<const std::byte> json = bundle_.member(member, verify);
      runtime.tokenizer = Tokenizer::from_json(
          {reinterpret_cast<const char*>(json.data()), json.size()}, runtime.where + ", " + member);
    }
    for (const QualityRow& row : manifest().quality) {
      if (row.head != head.name || row.precision != precision_) continue;
      std::uint32_t bits = 0;
      for (const std::string& modality : row.presence) bits |= 1U << contract_.index_of(modality);
      runtime.quality.emplace_back(bits, ExpectedQuality{row.metric, row.value});
    }
    heads_.push_back(std::move(runtime));
  }
}

void ModelImpl::load_graphs(const LoadOptions& options) {
  // Hashing and graph optimization take most of a load, and graphs do not depend on one another.
  std::vector<std::pair<const std::string*, std::unique_ptr<detail::Executable>*>> wanted;
  for (std::size_t m = 0; m < modalities_.size(); ++m) {
    wanted.emplace_back(&manifest().modalities[m].encoder, &modalities_[m].encoder);
  }
  for (HeadRuntime& head : heads_) {
    wanted.emplace_back(&head.description->graph, &head.head);
    wanted.emplace_back(&head.description->generation.step, &head.step);
  }
  const auto load = [&](std::size_t i) {
    const auto& [graph, target] = wanted[i];
    if (graph->empty()) return;  // a bank stands in for the encoder; a head without steps
    *target = load_graph(*manifest().graph(*graph), options.verify);
  };
  pool_.parallel_for(wanted.size(), load);
}

std::unique_ptr<detail::Executable> ModelImpl::load_graph(const GraphDescription& graph,
                                                          bool verify) {
  const VariantDescription& variant = *manifest().variant(precision_);
  const std::string& member = variant.members.at(graph.name);
  return backend_->load(graph, {.model = bundle_.member(member, verify),
                                .sha256 = manifest().members.at(member).sha256,
                                .precision = precision_,
                                .form = variant.form,
                                .target = variant.target,
                                .where = bundle_.name() + ", " + member});
}

const ModelImpl::HeadRuntime& ModelImpl::generation_runtime(std::string_view head) const {
  std::string known;
  for (const HeadRuntime& runtime : heads_) {
    if (runtime.description->kind != HeadKind::kGeneration) continue;
    if (runtime.description->name == head) return runtime;
    known += (known.empty() ? "" : ", ") + runtime.description->name;
  }
  throw ConfigError({.where = bundle_.name(),
                     .expected = "a head of kind generation (" +
                                 (known.empty() ? "the bundle has none" : known) + ")",
                     .got = "'" + std::string(head) + "'",
                     .action = ""});
}

GeneratorImpl::Head ModelImpl::generation_head(std::string_view head) const {
  const HeadRuntime& runtime = generation_runtime(head);
  return {.where = runtime.where,
          .description = runtime.description,
          .graph = manifest().graph(runtime.description->generation.step),
          .step = runtime.step.get(),
          .tokenizer = runtime.tokenizer ? &*runtime.tokenizer : nullptr};
}

Shape ModelImpl::memory_shape(std::string_view head) const {
  return Shape(generation_runtime(head).output.dims().subspan(1));
}

detail::ContextStore::Lease ModelImpl::lend() {
  const auto make = [this] { return make_context(); };
  return contexts_.lend(make);
}

std::unique_ptr<detail::RunContext> ModelImpl::make_context() const {
  auto context = std::make_unique<detail::RunContext>();
  for (const ModalityRuntime& modality : modalities_) {
    detail::ModalityBuffers buffers;
    buffers.scratch = modality.preprocessor->make_scratch();
    buffers.input = Tensor(modality.input_dtype, modality.input);
    buffers.embedding = Tensor(DType::kFloat32, modality.embedding);
    const TensorView input = buffers.input.view();
    const TensorView embedding = buffers.embedding.view();
    if (modality.encoder != nullptr) {
      buffers.encoder = modality.encoder->bind({&input, 1}, {&embedding, 1});
      buffers.device_frames = device_frames(modality, *buffers.encoder);
    }
    context->modalities.push_back(std::move(buffers));
  }
  for (const HeadRuntime& head : heads_) {
    detail::HeadBuffers buffers;
    const auto width = static_cast<std::int64_t>(head.modalities.size());
    buffers.presence = Tensor(DType::kFloat32, Shape{1, width});
    buffers.output = Tensor(DType::kFloat32, head.output);
    std::vector<TensorView> inputs;
    for (std::size_t modality : head.modalities) {
      inputs.push_back(context->modalities[modality].embedding.view());
    }
    inputs.push_back(buffers.presence.view());
    const TensorView output = buffers.output.view();
    buffers.head = head.head->bind(inputs, {&output, 1});
    context->heads.push_back(std::move(buffers));
  }
  context->presence.assign(modalities_.size(), Presence::kAbsent);
  context->samples.assign(modalities_.size(), nullptr);
  context->seen.assign(modalities_.size(), 0);
  return context;
}

std::unique_ptr<detail::DeviceFrames> ModelImpl::device_frames(const ModalityRuntime& modality,
                                                               detail::BoundRun& encoder) const {
  const detail::CudaFramePreprocessor* const frames = modality.preprocessor->cuda();
  if (frame_kernel_ == nullptr || frames == nullptr) return nullptr;
  detail::DeviceRun* const run = encoder.device_run();
  if (run == nullptr) return nullptr;
  return std::make_unique<detail::DeviceFrames>(*frames, *run, frame_kernel_, modality.where);
}

std::unique_ptr<ResultImpl> ModelImpl::make_result() const {
  auto result = std::make_unique<ResultImpl>();
  result->model = shared_from_this();
  for (const ModalityDescription& modality : manifest().modalities) {
    result->modalities.push_back(
        {.name = modality.name, .presence = Presence::kAbsent, .prepare = {}, .encode = {}});
  }
  for (const HeadRuntime& head : heads_) {
    HeadAnswer answer;
    answer.name = head.description->name;
    answer.kind = head.description->kind;
    result->heads.push_back(answer);
    const std::int64_t values = head.output.elements();
    result->outputs.emplace_back(DType::kFloat32, Shape(head.output.dims().subspan(1)));
    const bool classifies = answer.kind == HeadKind::kClassification;
    result->scores.emplace_back(classifies ? static_cast<std::size_t>(values) : 0);
  }
  return result;
}

}  // namespace plait
