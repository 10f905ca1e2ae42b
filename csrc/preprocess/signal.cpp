// signal.cpp: checks a raw signal against its description, then writes the encoder's input.
#include "preprocess/signal.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/format.hpp"
#include "plait/error.hpp"
#include "preprocess/resample.hpp"
#include "preprocess/units.hpp"

namespace plait::detail {
namespace {

struct SignalScratch final : PrepareScratch {
  std::vector<GridPoint> grid;  // window points
};

/// One channel's arithmetic. In float32, as the encoder computes.
struct ChannelRule {
  std::int64_t source = 0;
  float sign = 1.0F;
  float mean = 0.0F;
  float inverse_std = 1.0F;
};

template <typename T>
T load(const std::byte* address) noexcept {
  T value;
  __builtin_memcpy(&value, address, sizeof(T));  // rows of a strided view may be unaligned
  return value;
}

class SignalPreprocessor final : public Preprocessor {
 public:
  SignalPreprocessor(const ModalityDescription& modality, std::string where)
      : description_(modality.signal), where_(std::move(where)) {
    unit_scale(description_.sensor_unit);
    for (std::size_t c = 0; c < description_.channels.size(); ++c) {
      const SignalChannel& channel = description_.channels[c];
      rules_.push_back(
          {channel.source, channel.sign, description_.mean[c], 1.0F / description_.std[c]});
    }
  }

  Shape input_shape() const override {
    const auto channels = static_cast<std::int64_t>(rules_.size());
    return description_.layout == SignalLayout::kNCT ? Shape{1, channels, description_.window}
                                                     : Shape{1, description_.window, channels};
  }

  std::unique_ptr<PrepareScratch> make_scratch() const override {
    auto scratch = std::make_unique<SignalScratch>();
    scratch->grid.resize(static_cast<std::size_t>(description_.window));
    return scratch;
  }

  void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const override {
    const auto& signal =
        sample_as<Signal>(sample, where_, "Pass the sensor's values as [time, channels].");
    check(signal);
    const float scale = signal.unit.empty() || signal.unit == description_.sensor_unit
                            ? sensor_scale_
                            : unit_scale_of_sample(signal.unit);
    std::span<const GridPoint> grid;
    if (!signal.timestamps_ns.empty()) {
      auto& points = static_cast<SignalScratch&>(scratch).grid;
      locate_window(signal.timestamps_ns,
                    {description_.rate_hz, description_.rate_tolerance, description_.max_gap_ms},
                    where_, points);
      grid = points;
    }
    switch (signal.values.dtype) {
      case DType::kFloat32:
        return write<float>(signal.values, grid, scale, out);
      case DType::kFloat64:
        return write<double>(signal.values, grid, scale, out);
      default:
        return write<std::int16_t>(signal.values, grid, scale, out);
    }
  }

 private:
  void unit_scale(const std::string& sensor_unit) {
    const auto factor = unit_factor(sensor_unit, description_.unit);
    if (!factor) {
      throw BundleError({.where = where_,
                         .expected = "a sensor unit that converts to '" + description_.unit + "'",
                         .got = "'" + sensor_unit + "'",
                         .action = "Describe the sensor in a known unit, or upgrade plait."});
    }
    sensor_scale_ = static_cast<float>(*factor);
  }

  float unit_scale_of_sample(std::string_view unit) const {
    const auto factor = unit_factor(unit, description_.unit);
    if (!factor) {
      throw SampleError({.where = where_,
                         .expected = "values in '" + description_.sensor_unit +
                                     "', or in a unit that converts to '" + description_.unit + "'",
                         .got = "'" + std::string(unit) + "'",
                         .action = "Convert before, or correct the sample's unit."});
    }
    return static_cast<float>(*factor);
  }

  void check(const Signal& signal) const {
    const ConstTensorView& values = signal.values;
    if (values.dtype != DType::kFloat32 && values.dtype != DType::kFloat64 &&
        values.dtype != DType::kInt16) {
      throw SampleError({.where = where_,
                         .expected = "float32, float64 or int16 values",
                         .got = std::string(name_of(values.dtype)),
                         .action = "Convert the array first."});
    }
    const bool windowed = signal.timestamps_ns.empty();
    const std::int64_t rows = values.shape.rank() == 2 ? values.shape[0] : -1;
    if (values.data == nullptr || values.shape.rank() != 2 ||
        values.shape[1] != description_.sensor_channels ||
        (windowed && rows != description_.window)) {
      const std::string time = windowed ? std::to_string(description_.window) : "time";
      throw SampleError(
          {.where = where_,
           .expected = "shape [" + time + ", " + std::to_string(description_.sensor_channels) +
                       "], one row a time step",
           .got = values.data == nullptr ? "no data" : values.shape.text(),
           .action = windowed ? "Pass exactly one window, or a longer series with its "
                                "time stamps."
                              : "Pass one column for each of the sensor's channels."});
    }
    if (!windowed && static_cast<std::int64_t>(signal.timestamps_ns.size()) != rows) {
      throw SampleError({.where = where_,
                         .expected = std::to_string(rows) + " time stamps, one a row",
                         .got = std::to_string(signal.timestamps_ns.size()),
                         .action = "Pass values and time stamps of the same stretch."});
    }
    const double deviation = std::abs(signal.rate_hz - description_.rate_hz);
    // Written so that a rate of NaN fails as well.
    if (signal.rate_hz != 0.0 &&
        !(deviation <= description_.rate_tolerance * description_.rate_hz)) {
      throw SampleError(
          {.where = where_,
           .expected = number_text(description_.rate_hz) + " Hz within " +
                       number_text(100.0 * description_.rate_tolerance) + " %",
           .got = number_text(signal.rate_hz) + " Hz as stated",
           .action = "Resample before, or describe the sensor's true rate at export."});
    }
  }

  template <typename T>
  void write(const ConstTensorView& values, std::span<const GridPoint> grid, float scale,
             TensorView out) const {
    const std::int64_t window = description_.window;
    const auto channels = static_cast<std::int64_t>(rules_.size());
    const bool channels_first = description_.layout == SignalLayout::kNCT;
    const std::int64_t channel_step = channels_first ? window : 1;
    const std::int64_t time_step = channels_first ? 1 : channels;
    auto* target = static_cast<float*>(out.data);
    float poison = 0.0F;  // becomes NaN as soon as one value is not finite
    for (std::int64_t c = 0; c < channels; ++c) {
      const ChannelRule& rule = rules_[static_cast<std::size_t>(c)];
      const auto* column =
          static_cast<const std::byte*>(values.data) + rule.source * values.strides[1];
      const std::int64_t row_stride = values.strides[0];
      const float factor = scale * rule.sign;
      float* row = target + c * channel_step;
      for (std::int64_t t = 0; t < window; ++t) {
        float raw = 0.0F;
        if (grid.empty()) {
          raw = static_cast<float>(load<T>(column + t * row_stride));
        } else {
          raw = interpolate<T>(column, row_stride, grid[static_cast<std::size_t>(t)]);
        }
        poison += raw * 0.0F;
        row[t * time_step] = (raw * factor - rule.mean) * rule.inverse_std;
      }
    }
    if (std::isnan(poison)) refuse_non_finite<T>(values);
  }

  template <typename T>
  static float interpolate(const std::byte* column, std::int64_t row_stride,
                           const GridPoint& point) noexcept {
    const std::byte* address = column + point.before * row_stride;
    const auto before = static_cast<double>(load<T>(address));
    if (point.weight == 0.0) return static_cast<float>(before);
    const auto after = static_cast<double>(load<T>(address + row_stride));
    return static_cast<float>(before + point.weight * (after - before));
  }

  template <typename T>
  [[noreturn]] void refuse_non_finite(const ConstTensorView& values) const {
    std::string position = "a value too large for float32";
    for (std::int64_t t = values.shape[0]; t-- > 0;) {
      for (std::int64_t c = 0; c < values.shape[1]; ++c) {
        const T value = load<T>(static_cast<const std::byte*>(values.data) + t * values.strides[0] +
                                c * values.strides[1]);
        if (!std::isfinite(static_cast<double>(value))) {
          position = number_text(static_cast<double>(value)) + " at row " + std::to_string(t) +
                     ", column " + std::to_string(c);
        }
      }
    }
    throw SampleError({.where = where_,
                       .expected = "finite values",
                       .got = position,
                       .action = "Repair the series, or declare the modality absent."});
  }

  SignalDescription description_;
  std::string where_;
  float sensor_scale_ = 1.0F;
  std::vector<ChannelRule> rules_;
};

}  // namespace

std::unique_ptr<Preprocessor> make_signal_preprocessor(const ModalityDescription& modality,
                                                       const std::string& where) {
  return std::make_unique<SignalPreprocessor>(modality, where);
}

}  // namespace plait::detail
