// model_impl.hpp: a loaded bundle: what each modality and head runs with, and how a run goes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/backend.hpp"
#include "base/thread_pool.hpp"
#include "plait/bundle.hpp"
#include "plait/model.hpp"
#include "plait/tokenizer.hpp"
#include "preprocess/preprocessor.hpp"
#include "runtime/generation.hpp"
#include "runtime/presence.hpp"
#include "runtime/result.hpp"
#include "runtime/run_context.hpp"

namespace plait {

class FeatureStreamImpl;

class ModelImpl : public std::enable_shared_from_this<ModelImpl> {
 public:
  ModelImpl(Bundle bundle, const LoadOptions& options);

  const Manifest& manifest() const noexcept { return bundle_.manifest(); }
  std::string_view manifest_json() const noexcept { return bundle_.manifest_json(); }
  const std::string& precision() const noexcept { return precision_; }
  const std::string& backend() const noexcept { return backend_->description(); }

  std::unique_ptr<ResultImpl> make_result() const;
  void run(std::span<const NamedSample> samples, ResultImpl& result);
  void prepare(std::size_t modality, const Sample& sample, TensorView out);
  void encode(std::size_t modality, const Sample& sample, TensorView out);
  void encode_prepared(std::size_t modality, const ConstTensorView& prepared, TensorView out);
  void prepare_regions(std::size_t modality, const Frame& frame, std::span<const Rectangle> regions,
                       TensorView out);
  void encode_regions(std::size_t modality, const Frame& frame, std::span<const Rectangle> regions,
                      TensorView out);
  void fuse(std::span<const NamedEmbedding> embeddings, ResultImpl& result);

  std::unique_ptr<FeatureStreamImpl> feature_stream(std::size_t modality) const;

  /// Throws ConfigError for a head of another kind, and for one that there is not.
  GeneratorImpl::Head generation_head(std::string_view head) const;
  /// [parts, ...] of such a head.
  Shape memory_shape(std::string_view head) const;

  std::size_t index_of(std::string_view modality) const { return contract_.index_of(modality); }
  const Shape& input_shape(std::size_t modality) const noexcept;
  DType input_dtype(std::size_t modality) const noexcept;
  const Shape& embedding_shape(std::size_t modality) const noexcept;

 private:
  struct ModalityRuntime {
    std::string where;
    std::unique_ptr<detail::Preprocessor> preprocessor;
    std::unique_ptr<detail::Executable> encoder;  // nullptr where a bank takes its place
    Shape input;
    DType input_dtype = DType::kFloat32;
    Shape embedding;
  };
  struct HeadRuntime {
    std::string where;
    const HeadDescription* description = nullptr;
    std::vector<std::size_t> modalities;  // positions in the bundle's list
    std::unique_ptr<detail::Executable> head;
    std::unique_ptr<detail::Executable> step;  // of kind generation
    std::optional<Tokenizer> tokenizer;        // of kind generation, where it has one
    Shape output;                              // [1, values]
    /// By the set of present modalities, one bit each.
    std::vector<std::pair<std::uint32_t, ExpectedQuality>> quality;
  };

  void load_graphs(const LoadOptions& options);
  void describe_modalities(bool verify);
  void describe_heads(bool verify);
  const HeadRuntime& generation_runtime(std::string_view head) const;
  std::unique_ptr<detail::Executable> load_graph(const GraphDescription& graph, bool verify);

  detail::ContextStore::Lease lend();
  std::unique_ptr<detail::RunContext> make_context() const;
  /// nullptr where the modality's samples, or this encoder's input, are prepared on the host.
  std::unique_ptr<detail::DeviceFrames> device_frames(const ModalityRuntime& modality,
                                                      detail::BoundRun& encoder) const;

  /// Prepares and encodes; when the preparation ended.
  std::chrono::steady_clock::time_point encode(detail::RunContext& context, std::size_t modality,
                                               const Sample& sample);
  const detail::RegionPreprocessor& regions_of(std::size_t modality, const Frame& frame) const;
  detail::RegionBuffers& region_buffers(detail::RunContext& context, std::size_t modality,
                                        std::size_t regions) const;
  bool recall(detail::RunContext& context, std::size_t modality, const Sample& sample);
  void check_owner(const ResultImpl& result) const;
  void fuse(detail::RunContext& context, ResultImpl& result);
  void answer(detail::RunContext& context, std::size_t head, ResultImpl& result);

  Bundle bundle_;
  std::string precision_;
  detail::ThreadPool pool_;  // of loading and of preprocessing; backends have their own
  std::unique_ptr<detail::Backend> backend_;
  detail::FrameKernel frame_kernel_ = nullptr;  // nullptr: frames are prepared on the host
  detail::PresenceContract contract_;
  std::vector<ModalityRuntime> modalities_;
  std::vector<HeadRuntime> heads_;
  detail::ContextStore contexts_;  // last: its bindings go before the executables they run
};

}  // namespace plait
