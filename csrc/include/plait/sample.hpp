// plait/sample.hpp: raw samples as sensors give them. They view memory; they never own it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "plait/tensor.hpp"

namespace plait {

/// What a running normalisation knows of the samples before: Model::signal_state makes the first
/// one, every prepared sample moves it on, and the caller keeps it. Plain data: it may be copied,
/// stored and restored. Used by one call at a time.
struct SignalState {
  std::vector<double> mean;      ///< per channel of the encoder, in its unit
  std::vector<double> variance;  ///< as mean
};

/// A stretch of a multi-channel signal: accelerometer, gyroscope, ECG, ...
///
/// values: [time, channels], float32, float64 or int16, any strides.
/// Without time stamps it must be exactly one window: as many rows as the encoder sees, or, where
/// rate_hz states another of the sensor's declared rates, as many as that rate gives in the same
/// time, rounded up. With time stamps it may be any jittery series that covers the window; it is
/// resampled to the nominal rate, and the window is the part that ends at the last time stamp.
struct Signal {
  ConstTensorView values;
  std::span<const std::int64_t> timestamps_ns{};  ///< one per row, strictly increasing; or empty
  double rate_hz = 0.0;                           ///< stated rate; 0 when not stated
  std::string_view unit{};                        ///< empty: the unit the bundle declares
  /// Of a modality whose normalisation is running: moved on by this sample. nullptr: the sample
  /// stands alone, as the first after Model::signal_state.
  SignalState* state = nullptr;
};

/// How a camera lays out its pixels. Byte orders are those in memory: kBGR8 is blue first.
enum class PixelFormat : std::uint8_t {
  kNV12,   ///< planes: luma; chroma U V U V ... of half width and half height
  kNV21,   ///< as kNV12, chroma V U V U ...
  kI420,   ///< planes: luma; U; V, chroma of half width and half height
  kYUYV,   ///< one plane: Y U Y V ..., chroma of half width
  kUYVY,   ///< one plane: U Y V Y ..., chroma of half width
  kRGB8,   ///< three bytes a pixel
  kBGR8,   ///< three bytes a pixel
  kRGBA8,  ///< four bytes a pixel; alpha is ignored
  kBGRA8,  ///< four bytes a pixel; alpha is ignored
  kGray8,  ///< one byte a pixel
  kGray16  ///< two bytes a pixel in the machine's byte order; of a depth camera: millimetres
};

/// "nv12", "bgr8", "gray16", ...: the names the manifest and Python use.
PLAIT_API std::string_view name_of(PixelFormat format) noexcept;
/// The reverse of name_of; throws ConfigError for a name that is none.
PLAIT_API PixelFormat pixel_format_named(std::string_view name);

/// One plane of a frame: its first row, the bytes from one row to the next, and how many bytes of
/// memory there are, which is checked against what the frame's size needs.
struct Plane {
  const std::byte* data = nullptr;
  std::int64_t stride = 0;  ///< bytes; at least a row's
  std::size_t bytes = 0;    ///< from data to the end of the memory
};

/// A part of a frame in pixels; (0, 0) is the top left corner.
struct Rectangle {
  std::int64_t x = 0;
  std::int64_t y = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// A camera frame as the driver gives it: planes and strides, no copy.
///
/// Subsampled formats need even sizes and an even region. Planes the format does not have are left
/// empty. A region is treated as if the frame had been cropped to it first.
struct Frame {
  PixelFormat format = PixelFormat::kRGB8;
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::array<Plane, 3> planes{};
  Rectangle region{};  ///< of width and height 0: the whole frame
};

/// A stretch of PCM sound: a microphone's chunk, a clip.
///
/// values: [frames] of one channel or [frames, channels], int16 or float32 in -1 to 1, any strides:
/// interleaved and planar memory are the same view with other strides.
struct Sound {
  ConstTensorView values;
  double sample_rate_hz = 0.0;  ///< 0: the rate that the bundle declares for its sensor
};

/// A text: a prompt, a command, a caption.
struct Text {
  std::string_view utf8{};
};

/// A point cloud: a sweep of a LiDAR, returns of a radar.
///
/// values: [points, channels], float32 or float64, any strides, in the columns and the unit that
/// the bundle declares for its sensor. A row with NaN or infinity in a channel that the encoder
/// sees is no point, as drivers mark it. No row at all is a cloud, too.
struct Points {
  ConstTensorView values;
  /// Of this very sensor, in place of what the bundle declares: [3, 4] row by row, the rotation
  /// from the sensor to the vehicle, then the move in metres; or empty.
  std::span<const double> extrinsics{};
};

/// One raw sample of any kind.
using Sample = std::variant<Signal, Frame, Sound, Text, Points>;

/// What the caller says of one modality: a sample, or (nullptr) that it is absent.
struct NamedSample {
  std::string_view modality;
  const Sample* sample = nullptr;
};

/// An embedding computed earlier, or (data == nullptr) the declaration that there is none.
struct NamedEmbedding {
  std::string_view modality;
  ConstTensorView embedding;
};

}  // namespace plait
