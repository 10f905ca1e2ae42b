// plait/model.hpp: a loaded bundle: prepare, encode, fuse, and run, which is all three.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/export.hpp"
#include "plait/feature_stream.hpp"
#include "plait/generation.hpp"
#include "plait/manifest.hpp"
#include "plait/sample.hpp"
#include "plait/tensor.hpp"

namespace plait {

/// How a bundle is loaded. The defaults suit one model on one board.
struct PLAIT_API LoadOptions {
  /// "auto" or "cpu"; "tensorrt": engines that `plait build` made here; "cuda", "cuda-tensorrt":
  /// the providers of an ONNX Runtime that has them
  std::string device = "auto";
  /// "fp32", "int8", ...; empty: the one the exporter chose; for "tensorrt" the first made for it
  std::string precision{};
  int threads = 0;                           ///< per graph; 0: every CPU this process may use
  bool spin = false;                         ///< idle threads spin: lower latency, a core burnt
  bool arena = true;                         ///< ONNX Runtime keeps freed memory for the next run
  bool verify = true;                        ///< check the SHA-256 of every member that is read
  std::filesystem::path onnxruntime{};       ///< libonnxruntime.so; empty: see docs/deploy.md
  std::filesystem::path tensorrt{};          ///< libnvinfer.so; empty: likewise
  std::filesystem::path cudart{};            ///< libcudart.so; empty: likewise
  std::filesystem::path tensorrt_plugins{};  ///< libplait_tensorrt.so; empty: beside libplait.so
  std::filesystem::path cuda_kernels{};      ///< libplait_cuda.so, likewise; prepares frames
  std::filesystem::path engine_cache{};      ///< folder of engines; empty: see docs/engines.md

  /// Throws ConfigError for values that make no sense.
  void validate() const;
};

enum class Presence : std::uint8_t {
  kAbsent,  ///< declared absent by the caller
  kFresh,   ///< prepared and encoded in this run
  kCached,  ///< the caller gave an embedding computed earlier
};

PLAIT_API std::string_view name_of(Presence presence) noexcept;

/// What became of one modality in a run.
struct ModalityReport {
  std::string_view name;
  Presence presence = Presence::kAbsent;
  std::chrono::nanoseconds prepare{0};  ///< of frames prepared on a device: until that is queued
  std::chrono::nanoseconds encode{0};
};

/// What the exporter measured, on held-out data, with exactly these modalities and this precision.
struct ExpectedQuality {
  std::string_view metric;
  double value = 0.0;
};

/// The answer of one head. Views stay valid as long as the Result lives and is not run into again.
/// Where none of the head's modalities was present there is no answer: output.data is nullptr.
struct HeadAnswer {
  std::string_view name;
  HeadKind kind = HeadKind::kClassification;
  /// logits [classes], value [values], embedding [...] or memory [parts, ...], which a Generator
  /// makes a text of
  ConstTensorView output;
  std::span<const float> scores;  ///< classification: softmax of the logits; else empty
  std::int64_t best = -1;         ///< classification: index of the highest score; else -1
  std::string_view label;         ///< classification: labels[best]; else empty
  std::chrono::nanoseconds fuse{0};
  std::optional<ExpectedQuality> expected_quality;
};

class ModelImpl;
class ResultImpl;

/// Where run() and fuse() write: allocated once, used again and again. Movable. Not thread-safe:
/// one Result a thread. May outlive its Model.
class PLAIT_API Result {
 public:
  Result(Result&&) noexcept;
  Result& operator=(Result&&) noexcept;
  ~Result();

  std::span<const HeadAnswer> heads() const noexcept;
  std::span<const ModalityReport> modalities() const noexcept;
  /// Throws ConfigError when the bundle has no head of that name.
  const HeadAnswer& operator[](std::string_view head) const;
  /// From the call of run() or fuse() to its return, everything included.
  std::chrono::nanoseconds total() const noexcept;

 private:
  friend class Model;
  friend class ModelImpl;
  explicit Result(std::unique_ptr<ResultImpl> impl) noexcept;
  std::unique_ptr<ResultImpl> impl_;
};

/// A loaded bundle. Copies share it. Every const method is thread-safe; concurrent runs do not wait
/// for one another: each takes a set of buffers, and a set is allocated only when all are in use.
/// Once warm, no method below allocates on Plait's side, except load, make_result and
/// feature_stream.
class PLAIT_API Model {
 public:
  /// Reads, verifies and loads a bundle. May block on the disk.
  /// Throws BundleError, BackendError, ConfigError.
  static Model load(const std::filesystem::path& bundle, const LoadOptions& options = {});

  const Manifest& manifest() const noexcept;
  /// The manifest's text, byte for byte. Valid as long as any copy of the model lives.
  std::string_view manifest_json() const noexcept;
  /// The precision that is running: the asked-for one, or the bundle's default.
  std::string_view precision() const noexcept;
  /// "onnxruntime 1.32.0, cpu, 2 threads", "tensorrt 10.14.1.48, Orin (8.7), CUDA 12.6"
  std::string_view backend() const noexcept;

  Result make_result() const;

  /// Prepares, encodes and fuses. Every modality of the bundle is named exactly once, with a sample
  /// or with nullptr for absent: what is not said is an error, not a guess. Encoders of absent
  /// modalities are not run. Throws SampleError, BackendError; result is then unspecified.
  void run(std::span<const NamedSample> samples, Result& result) const;

  /// Raw sample -> encoder input. out must have input_shape(modality) and input_dtype(modality).
  void prepare(std::string_view modality, const Sample& sample, TensorView out) const;
  /// Raw sample -> embedding, [1, ...] float32. out must have embedding_shape(modality).
  void encode(std::string_view modality, const Sample& sample, TensorView out) const;
  /// Encoder input -> embedding: for golden replay, and for those who prepare by themselves.
  void encode_prepared(std::string_view modality, ConstTensorView prepared, TensorView out) const;
  /// Several regions of one frame -> encoder inputs, shared out over the model's threads. out is
  /// [regions, ...] with the rest of input_shape(modality); out[i] is, bit for bit, what prepare()
  /// gives of the frame with regions[i] as its region. The frame itself states no region. For
  /// modalities of kind "frame"; throws ConfigError for another.
  void prepare_regions(std::string_view modality, const Frame& frame,
                       std::span<const Rectangle> regions, TensorView out) const;
  /// The same, and all of them through the encoder as one batch. out is [regions, ...] with the
  /// rest of embedding_shape(modality), float32. A batch may round otherwise than single runs.
  void encode_regions(std::string_view modality, const Frame& frame,
                      std::span<const Rectangle> regions, TensorView out) const;
  /// Embeddings -> answers. Every modality is named exactly once, with data or with nullptr.
  void fuse(std::span<const NamedEmbedding> embeddings, Result& result) const;

  /// Features of a modality of kind "sound" chunk by chunk. Throws ConfigError for another kind,
  /// and for a waveform, which has no frames.
  FeatureStream feature_stream(std::string_view modality) const;
  /// The state in which a stream of samples begins, of a signal whose normalisation is running: the
  /// declared mean and std. Pass it as Signal::state with every sample of the stream. Allocates.
  /// Throws ConfigError for another modality.
  SignalState signal_state(std::string_view modality) const;

  /// What makes texts of a head of kind "generation". Allocates. Throws ConfigError for another.
  Generator generator(std::string_view head) const;
  /// What the bundle states for such a head, where the caller has no wishes. Likewise.
  GenerationOptions generation_options(std::string_view head) const;

  Shape input_shape(std::string_view modality) const;
  /// float32 for signals and sounds, int64 for texts; of frames as the bundle declares.
  DType input_dtype(std::string_view modality) const;
  Shape embedding_shape(std::string_view modality) const;

 private:
  explicit Model(std::shared_ptr<ModelImpl> impl) noexcept;
  std::shared_ptr<ModelImpl> impl_;
};

}  // namespace plait
