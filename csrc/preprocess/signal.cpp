// signal.cpp: checks a raw signal against its description, then writes the encoder's input.
#include "preprocess/signal.hpp"

#include <algorithm>
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
  Grid grid;
  SignalState alone;  // of a sample that comes without a state
};

/// One channel's arithmetic. In float32, as the encoder computes.
struct ChannelRule {
  std::int64_t source = 0;
  float sign = 1.0F;
  float mean = 0.0F;
  float inverse_std = 1.0F;
  /// Of calibration, sign and unit in one: value = sum of weights * raw column + offset.
  std::vector<double> weights;
  double offset = 0.0;
};

template <typename T>
T load(const std::byte* address) noexcept {
  T value;
  __builtin_memcpy(&value, address, sizeof(T));  // rows of a strided view may be unaligned
  return value;
}

double squared(double value) noexcept { return value * value; }

/// The averages that the description begins with. Does not allocate where state has been one.
void restart(const SignalDescription& description, SignalState& state) {
  state.mean.assign(description.mean.begin(), description.mean.end());
  state.variance.assign(description.std.begin(), description.std.end());
  for (double& value : state.variance) value = squared(value);
}

/// Rows of a sample, in place or on a grid.
template <typename T>
class Rows {
 public:
  Rows(const ConstTensorView& values, const Grid* grid)
      : data_(static_cast<const std::byte*>(values.data)),
        row_stride_(values.strides[0]),
        column_stride_(values.strides[1]),
        grid_(grid) {}

  double at(std::int64_t t, std::int64_t column) const noexcept {
    if (grid_ == nullptr) return raw(t, column);
    const GridPoint& point = grid_->points[static_cast<std::size_t>(t)];
    if (point.count > 0) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < point.count; ++k) {
        sum += grid_->weights[static_cast<std::size_t>(point.offset + k)] *
               raw(point.before + k, column);
      }
      return sum;
    }
    const double before = raw(point.before, column);
    if (point.weight == 0.0) return before;
    return before + point.weight * (raw(point.before + 1, column) - before);
  }
  double raw(std::int64_t row, std::int64_t column) const noexcept {
    return static_cast<double>(load<T>(data_ + row * row_stride_ + column * column_stride_));
  }

 private:
  const std::byte* data_;
  std::int64_t row_stride_;
  std::int64_t column_stride_;
  const Grid* grid_;
};

class SignalPreprocessor final : public Preprocessor {
 public:
  SignalPreprocessor(const ModalityDescription& modality, std::string where)
      : description_(modality.signal),
        where_(std::move(where)),
        rates_(description_.rates_hz.empty() ? std::vector{description_.rate_hz}
                                             : description_.rates_hz) {
    unit_scale(description_.sensor_unit);
    for (std::size_t c = 0; c < description_.channels.size(); ++c) {
      const SignalChannel& channel = description_.channels[c];
      rules_.push_back({channel.source,
                        channel.sign,
                        description_.mean[c],
                        1.0F / description_.std[c],
                        {},
                        0.0});
      if (!description_.matrix.empty()) calibrate(rules_.back());
    }
  }

  Shape input_shape() const override {
    const auto channels = static_cast<std::int64_t>(rules_.size());
    return description_.layout == SignalLayout::kNCT ? Shape{1, channels, description_.window}
                                                     : Shape{1, description_.window, channels};
  }

  std::unique_ptr<PrepareScratch> make_scratch() const override {
    auto scratch = std::make_unique<SignalScratch>();
    scratch->grid.points.resize(static_cast<std::size_t>(description_.window));
    restart(description_, scratch->alone);
    return scratch;
  }

  void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const override {
    const auto& signal =
        sample_as<Signal>(sample, where_, "Pass the sensor's values as [time, channels].");
    check(signal);
    const Scales scales = signal.unit.empty() || signal.unit == description_.sensor_unit
                              ? Scales{1.0, sensor_scale_}
                              : scales_of_sample(signal.unit);
    auto& kept = static_cast<SignalScratch&>(scratch);
    const Grid* grid = nullptr;
    if (!signal.timestamps_ns.empty()) {
      locate_window(signal.timestamps_ns, resample_rule(), where_, kept.grid);
      grid = &kept.grid;
    } else if (const double rate = rate_of(signal); rate != description_.rate_hz) {
      locate_rows(signal.values.shape[0], rate, resample_rule(), kept.grid);
      grid = &kept.grid;
    }
    SignalState& state = state_of(signal, kept.alone);
    switch (signal.values.dtype) {
      case DType::kFloat32:
        return write<float>(signal.values, grid, scales, state, out);
      case DType::kFloat64:
        return write<double>(signal.values, grid, scales, state, out);
      default:
        return write<std::int16_t>(signal.values, grid, scales, state, out);
    }
  }

 private:
  /// What a sample's values are multiplied with to be in the sensor's and the encoder's unit.
  struct Scales {
    double to_sensor = 1.0;
    float to_encoder = 1.0F;
  };

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

  /// Bias, matrix, sign and unit as one linear function of a raw row.
  void calibrate(ChannelRule& rule) const {
    const auto columns = static_cast<std::size_t>(description_.sensor_channels);
    const double factor =
        *unit_factor(description_.sensor_unit, description_.unit) * static_cast<double>(rule.sign);
    const double* row =
        description_.matrix.data() + static_cast<std::size_t>(rule.source) * columns;
    for (std::size_t column = 0; column < columns; ++column) {
      rule.weights.push_back(factor * row[column]);
      rule.offset -= factor * row[column] * description_.bias[column];
    }
  }

  Scales scales_of_sample(std::string_view unit) const {
    const auto to_sensor = unit_factor(unit, description_.sensor_unit);
    const auto to_encoder = unit_factor(unit, description_.unit);
    if (!to_sensor || !to_encoder) {
      throw SampleError({.where = where_,
                         .expected = "values in '" + description_.sensor_unit +
                                     "', or in a unit that converts to '" + description_.unit + "'",
                         .got = "'" + std::string(unit) + "'",
                         .action = "Convert before, or correct the sample's unit."});
    }
    return {*to_sensor, static_cast<float>(*to_encoder)};
  }

  ResampleRule resample_rule() const noexcept {
    return {.rate_hz = description_.rate_hz,
            .rates_hz = rates_,
            .rate_tolerance = description_.rate_tolerance,
            .max_gap_ms = description_.max_gap_ms,
            .antialias = description_.antialias};
  }

  /// The declared rate of a sample without time stamps.
  double rate_of(const Signal& signal) const {
    if (signal.rate_hz == 0.0) return description_.rate_hz;
    const ResampleRule rule = resample_rule();
    const double declared = declared_rate(rule, signal.rate_hz);
    if (declared != 0.0) return declared;
    throw SampleError({.where = where_,
                       .expected = accepted_rates(rule),
                       .got = number_text(signal.rate_hz) + " Hz as stated",
                       .action = "Resample before, or describe the sensor's true rate at export."});
  }

  /// The caller's state, or one that begins anew with this sample.
  SignalState& state_of(const Signal& signal, SignalState& alone) const {
    if (signal.state == nullptr) {
      if (description_.normalization != SignalNormalization::kFixed) restart(description_, alone);
      return alone;
    }
    const bool running = description_.normalization == SignalNormalization::kRunning;
    const auto finite = [](double value) { return std::isfinite(value); };
    const auto spread = [](double value) { return std::isfinite(value) && value >= 0.0; };
    const auto& [mean, variance] = *signal.state;
    if (!running || mean.size() != rules_.size() || variance.size() != rules_.size() ||
        !std::all_of(mean.begin(), mean.end(), finite) ||
        !std::all_of(variance.begin(), variance.end(), spread)) {
      throw SampleError({.where = where_,
                         .expected = running ? "a state of " + std::to_string(rules_.size()) +
                                                   " channels, finite, variances of at least 0"
                                             : "no state: the normalisation is not running",
                         .got = "one of " + std::to_string(mean.size()) + " means and " +
                                std::to_string(variance.size()) + " variances",
                         .action = "Use the state that signal_state() of this modality made."});
    }
    return *signal.state;
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
    const std::int64_t wanted =
        rows_of_window(resample_rule(), rate_of(signal), description_.window);
    const std::int64_t rows = values.shape.rank() == 2 ? values.shape[0] : -1;
    if (values.data == nullptr || values.shape.rank() != 2 ||
        values.shape[1] != description_.sensor_channels || (windowed && rows != wanted)) {
      const std::string time = windowed ? std::to_string(wanted) : "time";
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
  }

  template <typename T>
  void write(const ConstTensorView& values, const Grid* grid, const Scales& scales,
             SignalState& state, TensorView out) const {
    const std::int64_t window = description_.window;
    const auto channels = static_cast<std::int64_t>(rules_.size());
    const bool channels_first = description_.layout == SignalLayout::kNCT;
    const std::int64_t channel_step = channels_first ? window : 1;
    const std::int64_t time_step = channels_first ? 1 : channels;
    const bool fixed = description_.normalization == SignalNormalization::kFixed;
    const Rows<T> rows(values, grid);
    auto* target = static_cast<float*>(out.data);
    float poison = 0.0F;  // becomes NaN as soon as one value is not finite
    if (!fixed) measure(rows, scales, state, poison);
    for (std::int64_t c = 0; c < channels && !std::isnan(poison); ++c) {
      const ChannelRule& rule = rules_[static_cast<std::size_t>(c)];
      float* row = target + c * channel_step;
      if (!fixed) {
        const double mean = state.mean[static_cast<std::size_t>(c)];
        const double deviation = std::sqrt(state.variance[static_cast<std::size_t>(c)]);
        for (std::int64_t t = 0; t < window; ++t) {
          const double value = physical(rows, rule, scales, t);
          row[t * time_step] =
              static_cast<float>((value - mean) / (deviation + description_.epsilon));
        }
        continue;
      }
      // In float32, as the encoder computes; a calibration's cancellation is done before.
      const bool calibrated = !rule.weights.empty();
      const float factor = calibrated ? 1.0F : scales.to_encoder * rule.sign;
      const auto normalise = [&](auto&& value_at) {
        for (std::int64_t t = 0; t < window; ++t) {
          const auto value = static_cast<float>(value_at(t));
          poison += value * 0.0F;
          row[t * time_step] = (value * factor - rule.mean) * rule.inverse_std;
        }
      };
      if (calibrated) {
        normalise([&](std::int64_t t) { return physical(rows, rule, scales, t); });
      } else if (grid != nullptr) {
        normalise([&](std::int64_t t) { return rows.at(t, rule.source); });
      } else {  // most samples: nothing to ask for each value
        normalise([&](std::int64_t t) { return rows.raw(t, rule.source); });
      }
    }
    if (std::isnan(poison)) refuse_non_finite<T>(values);
  }

  /// A channel's value in the encoder's unit.
  template <typename T>
  static double physical(const Rows<T>& rows, const ChannelRule& rule, const Scales& scales,
                         std::int64_t t) noexcept {
    if (rule.weights.empty()) {
      return rows.at(t, rule.source) * static_cast<double>(scales.to_encoder * rule.sign);
    }
    double sum = rule.offset;
    for (std::size_t column = 0; column < rule.weights.size(); ++column) {
      sum +=
          rule.weights[column] * scales.to_sensor * rows.at(t, static_cast<std::int64_t>(column));
    }
    return sum;
  }

  /// The window's mean and variance per channel: in place of the state's, or as its next share.
  /// poison becomes NaN, and the state stays as it is, where a value is not finite.
  template <typename T>
  void measure(const Rows<T>& rows, const Scales& scales, SignalState& state, float& poison) const {
    const auto count = static_cast<double>(description_.window);
    const double share =
        description_.normalization == SignalNormalization::kRunning ? description_.momentum : 1.0;
    for (const bool commit : {false, true}) {
      for (std::size_t c = 0; c < rules_.size() && !std::isnan(poison); ++c) {
        double sum = 0.0;
        double squares = 0.0;
        for (std::int64_t t = 0; t < description_.window; ++t) {
          sum += physical(rows, rules_[c], scales, t);
        }
        const double mean = sum / count;
        for (std::int64_t t = 0; t < description_.window; ++t) {
          squares += squared(physical(rows, rules_[c], scales, t) - mean);
        }
        poison += static_cast<float>(mean) * 0.0F + static_cast<float>(squares) * 0.0F;
        if (!commit) continue;
        state.mean[c] += share * (mean - state.mean[c]);
        state.variance[c] += share * (squares / count - state.variance[c]);
      }
    }
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
  std::vector<double> rates_;  // that samples may have
  float sensor_scale_ = 1.0F;
  std::vector<ChannelRule> rules_;
};

}  // namespace

SignalState first_signal_state(const SignalDescription& description) {
  SignalState state;
  restart(description, state);
  return state;
}

std::unique_ptr<Preprocessor> make_signal_preprocessor(const ModalityDescription& modality,
                                                       const std::string& where) {
  return std::make_unique<SignalPreprocessor>(modality, where);
}

}  // namespace plait::detail
