// plait/sample.hpp: raw samples as sensors give them. They view memory; they never own it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "plait/tensor.hpp"

namespace plait {

/// A stretch of a multi-channel signal: accelerometer, gyroscope, ECG, ...
///
/// values: [time, channels], float32, float64 or int16, any strides.
/// Without time stamps it must be exactly one window at the declared rate. With time stamps it may
/// be any jittery series that covers the window; it is resampled to the nominal rate, and the
/// window is the part that ends at the last time stamp.
struct Signal {
  ConstTensorView values;
  std::span<const std::int64_t> timestamps_ns{};  ///< one per row, strictly increasing; or empty
  double rate_hz = 0.0;                           ///< stated rate; 0 when not stated
  std::string_view unit{};                        ///< empty: the unit the bundle declares
};

/// One raw sample of any kind. Further kinds (frame, sound, text, points) are added here.
using Sample = std::variant<Signal>;

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
