// plait/manifest.hpp: what a bundle says about itself, as plain data.
//
// Filled by the bundle reader, which has checked every cross reference: a graph a modality names
// exists, a variant names a member for every graph, every member has a hash. The format is
// described in docs/bundle.md and manifest.schema.json.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plait/export.hpp"
#include "plait/sample.hpp"
#include "plait/tensor.hpp"

namespace plait {

/// Newest manifest format this library reads. A newer minor is read, a newer major refused.
inline constexpr int kFormatMajor = 1;
inline constexpr int kFormatMinor = 0;

/// What happens to a head when a modality is absent.
enum class WhenMissing : std::uint8_t {
  kLearned,  ///< the head puts a learned token in its place
  kMask,     ///< the head's attention leaves it out
  kRefuse,   ///< no answer without it: SampleError
};

/// The encoder input's axis order for signals: [batch, channels, time] or [batch, time, channels].
enum class SignalLayout : std::uint8_t { kNCT, kNTC };

/// One signal channel of the sensor: which of its axes, and its sign.
struct SignalChannel {
  std::string name;   ///< "x"
  int source = 0;     ///< column of the raw sample that holds it
  float sign = 1.0F;  ///< -1 where the sensor is mounted the other way round
};

/// How a raw signal becomes an encoder's input:
/// input[c][t] = (resampled[t][source(c)] * sign(c) * unit factor - mean(c)) / std(c)
struct SignalDescription {
  std::vector<SignalChannel> channels;
  int sensor_channels = 0;      ///< columns of a raw sample
  std::string unit;             ///< unit the encoder was trained in
  std::string sensor_unit;      ///< unit of raw samples that state none
  double rate_hz = 0.0;         ///< nominal rate
  double rate_tolerance = 0.0;  ///< accepted relative deviation of a stated or measured rate
  std::int64_t window = 0;      ///< samples the encoder sees
  double max_gap_ms = 0.0;      ///< a larger hole between two time stamps is an error
  SignalLayout layout = SignalLayout::kNCT;
  std::vector<float> mean;  ///< per channel, in `unit`
  std::vector<float> std;   ///< per channel, in `unit`, > 0
};

/// What the channels of a frame's encoder are.
enum class FrameChannels : std::uint8_t {
  kRGB,
  kBGR,
  kGray,  ///< one channel of luma
  kDepth  ///< one channel of 16-bit values
};

/// The standard by which luma and chroma become red, green and blue.
enum class YuvMatrix : std::uint8_t { kBt601, kBt709, kBt2020 };

/// Limited: luma 16 to 235, chroma 16 to 240. Full: 0 to 255.
enum class YuvRange : std::uint8_t { kLimited, kFull };

/// How a frame meets the encoder's height and width.
enum class FrameFit : std::uint8_t {
  kStretch,   ///< both sides to height and width, whatever the aspect
  kShortest,  ///< the shorter side to height (== width), the longer to int(long * height / short)
  kLetterbox  ///< the largest size of the same aspect inside height x width, centred, padded
};

enum class FrameFilter : std::uint8_t { kNearest, kBox, kBilinear, kBicubic, kLanczos };

/// How a filter's sums are computed.
enum class FrameArithmetic : std::uint8_t {
  kExact,  ///< Pillow's: 8 bit after each pass, horizontal first; equal to it bit for bit
  kFast    ///< unrounded until the end; within one level of the filter in float64
};

/// Where the centre crop begins when an odd number of pixels is left over.
enum class CropRounding : std::uint8_t {
  kDown,     ///< as transformers
  kHalfEven  ///< as torchvision
};

/// The encoder input's axis order for frames.
enum class FrameLayout : std::uint8_t { kNCHW, kNHWC };

/// How a raw frame becomes an encoder's input:
/// input[c][y][x] = (pixel(c, y, x) * scale - mean(c)) / std(c), pixel in levels (0 to 255, of
/// depth 0 to 65535) after colour conversion, resizing, centre crop and padding.
struct FrameDescription {
  PixelFormat sensor_format = PixelFormat::kRGB8;  ///< of raw samples that state none
  YuvMatrix matrix = YuvMatrix::kBt709;            ///< of formats with luma and chroma
  YuvRange range = YuvRange::kLimited;             ///< chroma is upsampled by its nearest sample
  FrameChannels channels = FrameChannels::kRGB;
  FrameFit fit = FrameFit::kStretch;
  std::int64_t height = 0;  ///< after resizing; of kShortest: the shorter side, equal to width
  std::int64_t width = 0;
  std::int64_t crop_height = 0;  ///< of the centre crop after resizing; 0: none
  std::int64_t crop_width = 0;
  CropRounding crop_rounding = CropRounding::kDown;
  float pad = 0.0F;  ///< level of kLetterbox's border, the same in every channel
  FrameFilter filter = FrameFilter::kBilinear;
  bool antialias = true;  ///< the filter widens by the reduction; false only with kFast
  FrameArithmetic arithmetic = FrameArithmetic::kFast;
  float scale = 1.0F / 255.0F;  ///< from levels to the unit of mean and std
  std::vector<float> mean;      ///< per channel
  std::vector<float> std;       ///< per channel, > 0
  FrameLayout layout = FrameLayout::kNCHW;
};

struct TensorDescription {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  ///< -1 in front: the batch
};

enum class GraphRole : std::uint8_t { kEncoder, kHead };

struct GraphDescription {
  std::string name;
  GraphRole role = GraphRole::kEncoder;
  std::vector<TensorDescription> inputs;
  std::vector<TensorDescription> outputs;
};

struct ModalityDescription {
  std::string name;
  std::string kind;          ///< "signal" or "frame"
  SignalDescription signal;  ///< of kind "signal"
  FrameDescription frame;    ///< of kind "frame"
  std::string encoder;       ///< name of a graph
  double max_age_ms = 0.0;
  WhenMissing when_missing = WhenMissing::kMask;
};

enum class HeadKind : std::uint8_t { kClassification, kRegression, kEmbedding };

struct HeadDescription {
  std::string name;
  HeadKind kind = HeadKind::kClassification;
  std::string graph;
  std::vector<std::string> modalities;  ///< in the order of the graph's inputs and its mask
  std::vector<std::string> labels;  ///< classification: one per logit; regression: one per value
  std::vector<std::string> units;   ///< regression: one per value
};

/// One precision of the whole bundle: which file each graph runs from.
struct VariantDescription {
  std::string precision;  ///< "fp32", "fp16", "int8"
  std::string scheme;     ///< how it was quantized, for people
  std::string form;       ///< "portable" (standard ONNX) or "fused" (needs Plait's operators)
  std::map<std::string, std::string> members;  ///< graph name -> member name
};

struct QualityRow {
  std::string head;
  std::vector<std::string> presence;  ///< modalities present, in the bundle's order
  std::string precision;
  std::string metric;
  double value = 0.0;
  std::int64_t samples = 0;
};

struct MemberDescription {
  std::string sha256;  ///< lower-case hex
  std::uint64_t bytes = 0;
};

struct PLAIT_API Manifest {
  int format_major = 0;
  int format_minor = 0;
  std::string name;
  std::string description;
  std::vector<ModalityDescription> modalities;
  std::vector<GraphDescription> graphs;
  std::vector<HeadDescription> heads;
  std::vector<VariantDescription> variants;
  std::string default_precision;
  std::vector<QualityRow> quality;
  std::map<std::string, MemberDescription> members;

  /// nullptr where there is none of that name.
  const ModalityDescription* modality(const std::string& name) const noexcept;
  const GraphDescription* graph(const std::string& name) const noexcept;
  const HeadDescription* head(const std::string& name) const noexcept;
  const VariantDescription* variant(const std::string& precision) const noexcept;
};

}  // namespace plait
