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
#include "plait/manifest_generation.hpp"
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

/// Which mean and standard deviation a signal is normalised with.
enum class SignalNormalization : std::uint8_t {
  kFixed,   ///< mean and std
  kWindow,  ///< the window's own, per channel: (value - mean) / (std + epsilon)
  kRunning  ///< as kWindow, with averages that go on from sample to sample: SignalState
};

/// How a raw signal becomes an encoder's input:
/// input[c][t] = (physical[t][source(c)] * sign(c) * unit factor - mean(c)) / std(c), where
/// physical = matrix * (resampled - bias) in the sensor's unit, or resampled without calibration.
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
  /// Rates that samples may state or be stamped with; empty: rate_hz alone. Others than rate_hz
  /// are brought to it: linearly, or where there are fewer points than rows and antialias is set,
  /// by averages weighted by a triangle of one period of rate_hz to each side.
  std::vector<double> rates_hz;
  bool antialias = true;
  std::vector<double> bias;    ///< per column of a raw sample, in sensor_unit; empty: none
  std::vector<double> matrix;  ///< [columns, columns] row by row; empty: none
  SignalNormalization normalization = SignalNormalization::kFixed;
  double epsilon = 1e-8;  ///< of kWindow and kRunning, in `unit`
  double momentum = 0.1;  ///< of kRunning: the share of each new sample in the averages
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
  /// Of the encoder's input. kFloat16 and kUInt8 are the float32 value rounded to nearest, ties to
  /// even; kUInt8 of levels alone: scale 1, mean 0, std 1, 8-bit channels.
  DType dtype = DType::kFloat32;
};

/// What a sound's encoder gets.
enum class SoundFeatures : std::uint8_t {
  kWaveform,  ///< the samples themselves: [window]
  kLogMel,    ///< logarithms of the energy in mel bands, a column a frame
  kMfcc       ///< their discrete cosine transform
};

/// What becomes of a sound that is shorter than the window.
enum class SoundShorter : std::uint8_t {
  kRefuse,
  kZeros,   ///< zeros follow
  kRepeat,  ///< it begins again, as often as it takes
  kPad      ///< features of what there is; the frames that are missing get MelDescription::pad
};
/// What becomes of a sound that is longer than the window: its first or last part is taken.
enum class SoundLonger : std::uint8_t { kRefuse, kFirst, kLast };

/// Weights of one analysis frame. Periodic windows divide by the length, symmetric ones by one
/// less.
enum class SoundWindow : std::uint8_t {
  kHann,           ///< periodic
  kHannSymmetric,  ///< Kaldi's "hanning"
  kHamming,        ///< periodic
  kHammingSymmetric,
  kPovey,  ///< symmetric Hann to the power 0.85
  kRectangular
};

/// Where analysis frames begin and what they see beyond the sound's ends.
enum class SoundEdges : std::uint8_t {
  kSnip,     ///< only frames that fit: 1 + (samples - length) / step
  kReflect,  ///< centred, mirrored without the end sample: 1 + samples / step
  kZeros,    ///< centred, zeros beyond the ends
  kKaldi  ///< Kaldi's snip_edges = false: (samples + step / 2) / step, mirrored with the end sample
};

enum class MelScale : std::uint8_t {
  kSlaney,  ///< linear to 1000 Hz, logarithmic above; triangles linear in Hz
  kHtk,     ///< 2595 log10(1 + f / 700); triangles linear in Hz
  kKaldi    ///< HTK's scale; triangles linear in mel
};

enum class SoundLogarithm : std::uint8_t {
  kNatural,   ///< ln(max(x, floor) + offset)
  kTen,       ///< log10(max(x, floor) + offset)
  kDecibels,  ///< 10 log10(max(x, floor) + offset), 20 log10 for magnitudes
  kNone
};

/// Spectra and mel bands of one sound. Frames are of the encoder's rate.
struct MelDescription {
  std::int64_t length = 0;  ///< samples of an analysis frame, at most fft
  std::int64_t step = 0;    ///< samples from frame to frame
  std::int64_t fft = 0;     ///< points of the transform; shorter frames are padded with zeros
  SoundWindow window = SoundWindow::kHann;
  SoundEdges edges = SoundEdges::kReflect;
  bool drop_last = false;    ///< Whisper leaves the last frame out
  bool remove_mean = false;  ///< of each frame, before anything else, as Kaldi
  float preemphasis = 0.0F;  ///< x[i] -= preemphasis * x[i - 1], x[-1] = x[0], in each frame
  bool magnitude = false;    ///< |X| instead of |X|^2
  std::int64_t bins = 0;     ///< mel bands
  double low_hz = 0.0;       ///< of the lowest band's lower edge
  double high_hz = 0.0;      ///< of the highest band's upper edge, at most half the rate
  MelScale scale = MelScale::kHtk;
  bool area_norm = false;  ///< librosa's norm="slaney": each triangle divided by half its width
  SoundLogarithm logarithm = SoundLogarithm::kNatural;
  float floor = 0.0F;
  float offset = 0.0F;
  bool relative_to_max = false;   ///< decibels below the window's largest value (librosa's ref=max)
  float range = 0.0F;             ///< no value further than this below the window's largest; 0: any
  std::int64_t coefficients = 0;  ///< kMfcc: of the orthonormal DCT-II kept
  float lifter = 0.0F;            ///< kMfcc: Kaldi's and HTK's cepstral lifter; 0: none
  std::int64_t frames = 0;        ///< frames the encoder sees; 0: those of the window
  float pad = 0.0F;               ///< value of the frames after the last, before normalisation

  /// Analysis frames of so many samples; 0 where they are too few for one.
  PLAIT_API std::int64_t frames_of(std::int64_t samples) const noexcept;
};

/// How raw sound becomes an encoder's input: channels are mixed, the rate converted, a window cut,
/// features computed, and (feature - mean) / std given to the encoder.
struct SoundDescription {
  double sensor_rate_hz = 0.0;        ///< of raw samples that state none
  std::int64_t sensor_channels = 1;   ///< columns of a raw sample
  std::int64_t channel = -1;          ///< the channel that is taken; -1: the mean of all
  double rate_hz = 0.0;               ///< the encoder's
  std::int64_t resampler_zeros = 32;  ///< zero crossings on each side of the windowed sinc
  double resampler_rolloff = 0.95;    ///< its cut-off as a part of the lower Nyquist frequency
  double resampler_beta = 12.0;       ///< of its Kaiser window
  std::int64_t window = 0;            ///< samples at rate_hz that the encoder sees
  SoundShorter shorter = SoundShorter::kRefuse;
  SoundLonger longer = SoundLonger::kRefuse;
  float gain = 1.0F;         ///< onto samples in -1 to 1; 32768 where training saw int16 values
  bool standardize = false;  ///< kWaveform: zero mean, unit variance over the window (wav2vec 2.0)
  SoundFeatures features = SoundFeatures::kLogMel;
  std::string family;         ///< "whisper", "kaldi", "librosa", ...: for people
  MelDescription mel;         ///< of kLogMel and kMfcc
  std::vector<float> mean;    ///< one, or one a band or coefficient
  std::vector<float> std;     ///< as mean, > 0
  bool frames_first = false;  ///< [1, frames, bands] instead of [1, bands, frames]
};

/// How a text becomes an encoder's input, int64: [1, tokens], or with mask [1, 2, tokens] where
/// row 0 holds token ids and row 1 the attention mask (1 for a token, 0 for padding).
struct TextDescription {
  std::string tokenizer;    ///< member: a Hugging Face tokenizer.json
  std::int64_t tokens = 0;  ///< ids the encoder sees; longer texts are cut, shorter padded
  bool mask = false;
  bool special_tokens = true;  ///< as the file's post-processor adds them
  bool truncate_left = false;  ///< cut at the front instead of at the end
  bool pad_left = false;
  std::int64_t pad_id = 0;
  std::string bank;                  ///< member: float32 embeddings, one row a prompt; or empty
  std::vector<std::string> prompts;  ///< of the bank's rows
  std::vector<std::int64_t> bank_embedding;  ///< shape of one row
};

/// What becomes of the points beyond the capacity.
enum class PointsOverflow : std::uint8_t {
  kRefuse,
  kFirst,  ///< those that come first in the sample are kept
  kSpread  ///< of n points those of number floor(i * n / capacity) are kept
};

inline constexpr std::size_t kMaxPointChannels = 64;

/// How a raw point cloud becomes an encoder's input, [1, capacity, channels]:
/// place = extrinsics * (x, y, z in metres, 1); what lies in the range is kept in its order, and
/// (value - mean) / std given to the encoder. Rows behind the last point hold NaN.
struct PointsDescription {
  std::vector<std::string> channels;  ///< x, y, z in metres, then others; at most 64
  std::vector<std::int64_t> sources;  ///< per channel the column of a raw sample that holds it
  std::int64_t sensor_channels = 0;   ///< columns of a raw sample
  double metres = 1.0;                ///< one of the sensor's unit of length
  std::vector<double> extrinsics;     ///< [3, 4] row by row, sensor to vehicle; empty: not moved
  std::vector<double> lower;          ///< of the range: x, y, z in metres; empty: no range
  std::vector<double> upper;          ///< which is not in the range itself
  std::int64_t capacity = 0;          ///< points that the encoder sees
  PointsOverflow overflow = PointsOverflow::kRefuse;
  std::vector<float> mean;  ///< per channel
  std::vector<float> std;   ///< per channel, > 0
};

struct TensorDescription {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  ///< -1 in front: the batch
};

enum class GraphRole : std::uint8_t {
  kEncoder,
  kHead,
  kStep  ///< of a head of kind generation: one token further
};

struct GraphDescription {
  std::string name;
  GraphRole role = GraphRole::kEncoder;
  std::vector<TensorDescription> inputs;
  std::vector<TensorDescription> outputs;
};

struct ModalityDescription {
  std::string name;
  std::string kind;          ///< "signal", "frame", "sound", "text" or "points"
  SignalDescription signal;  ///< of kind "signal"
  FrameDescription frame;    ///< of kind "frame"
  SoundDescription sound;    ///< of kind "sound"
  TextDescription text;      ///< of kind "text"
  PointsDescription points;  ///< of kind "points"
  std::string encoder;       ///< name of a graph; "" where a bank takes its place
  double max_age_ms = 0.0;
  WhenMissing when_missing = WhenMissing::kMask;
};

enum class HeadKind : std::uint8_t { kClassification, kRegression, kEmbedding, kGeneration };

/// Embeddings of one space are comparable by cosine, whichever head they come from.
struct EmbeddingSpace {
  std::string name;         ///< "" where an embedding is comparable to its own head's only
  bool normalized = false;  ///< whether the graph gives them unit length
  double logit_scale = 1.0;
  double logit_bias = 0.0;  ///< a pair's logit is logit_scale * cosine + logit_bias
};

struct HeadDescription {
  std::string name;
  HeadKind kind = HeadKind::kClassification;
  std::string graph;
  std::vector<std::string> modalities;  ///< in the order of the graph's inputs and its mask
  /// Classification: one per logit; regression: one per value; generation without a tokenizer: one
  /// per token.
  std::vector<std::string> labels;
  std::vector<std::string> units;    ///< regression: one per value
  GenerationDescription generation;  ///< of kind generation
  EmbeddingSpace space;              ///< of kind embedding
};

enum class GraphForm : std::uint8_t {
  kPortable,  ///< standard ONNX operators only: any backend runs it
  kFused      ///< uses Plait's operators (domain ai.plait)
};

/// What a variant's files were made for. ONNX Runtime runs either.
enum class GraphTarget : std::uint8_t {
  kOnnxRuntime,
  kTensorRT  ///< every tensor's type is what TensorRT computes in; Q/DQ pairs are symmetric
};

/// One way to run the whole bundle: which file each graph runs from.
struct VariantDescription {
  std::string precision;  ///< its name: "fp32", "int8", "fp32_fused", "fp16_tensorrt"
  std::string scheme;     ///< how it was quantized, for people
  GraphForm form = GraphForm::kPortable;
  GraphTarget target = GraphTarget::kOnnxRuntime;
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
