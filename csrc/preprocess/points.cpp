// points.cpp: checks a raw point cloud against its description, then writes the encoder's input.
#include "preprocess/points.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t kAxes = 3;
constexpr std::size_t kRow = kAxes + 1;  // of a mounting
using Mounting = std::array<double, kAxes * kRow>;

constexpr Mounting kNotMoved = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};

template <typename T>
double load(const std::byte* address) noexcept {
  T value;
  __builtin_memcpy(&value, address, sizeof(T));  // rows of a strided view may be unaligned
  return static_cast<double>(value);
}

/// One of the encoder's channels: where it lies in a row, and how it is normalised.
struct ChannelRule {
  std::int64_t source = 0;
  double mean = 0.0;
  double std = 1.0;
};

class PointsPreprocessor final : public Preprocessor {
 public:
  PointsPreprocessor(const ModalityDescription& modality, std::string where)
      : description_(modality.points), where_(std::move(where)) {
    if (!description_.extrinsics.empty() && !is_mounting(description_.extrinsics)) {
      throw BundleError({.where = where_ + ", sensor.extrinsics",
                         .expected = "a rotation, then a move in metres",
                         .got = "a matrix that stretches",
                         .action = "Export with the transform from the sensor to the vehicle."});
    }
    const auto channels = description_.channels.size();
    rules_.reserve(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      rules_.push_back({description_.sources[c], static_cast<double>(description_.mean[c]),
                        static_cast<double>(description_.std[c])});
    }
  }

  Shape input_shape() const override {
    return {1, description_.capacity, static_cast<std::int64_t>(rules_.size())};
  }

  bool has_gaps() const noexcept override { return true; }

  std::unique_ptr<PrepareScratch> make_scratch() const override {
    return std::make_unique<PrepareScratch>();
  }

  void prepare(const Sample& sample, PrepareScratch&, TensorView out) const override {
    const auto& points =
        sample_as<Points>(sample, where_, "Pass the cloud's values as [points, channels].");
    check(points);
    const Mounting mounting = mounting_of(points);
    if (points.values.dtype == DType::kFloat32) {
      write<float>(points.values, mounting, out);
    } else {
      write<double>(points.values, mounting, out);
    }
  }

 private:
  void check(const Points& points) const {
    const ConstTensorView& values = points.values;
    if (values.dtype != DType::kFloat32 && values.dtype != DType::kFloat64) {
      throw SampleError({.where = where_,
                         .expected = "float32 or float64 values",
                         .got = std::string(name_of(values.dtype)),
                         .action = "Convert the array first."});
    }
    const bool fits = values.shape.rank() == 2 && values.shape[1] == description_.sensor_channels;
    if (!fits || (values.data == nullptr && values.shape[0] > 0)) {
      throw SampleError({.where = where_,
                         .expected = "shape [points, " +
                                     std::to_string(description_.sensor_channels) +
                                     "], one row a point",
                         .got = fits ? "no data" : values.shape.text(),
                         .action = "Pass one column for each of the sensor's channels."});
    }
    if (points.extrinsics.empty()) return;
    if (points.extrinsics.size() != kNotMoved.size() || !is_mounting(points.extrinsics)) {
      throw SampleError({.where = where_,
                         .expected = "extrinsics [3, 4]: a rotation, then a move in metres",
                         .got = points.extrinsics.size() == kNotMoved.size()
                                    ? "a matrix that stretches, or is not finite"
                                    : std::to_string(points.extrinsics.size()) + " numbers",
                         .action = "Pass the transform from the sensor to the vehicle."});
    }
  }

  /// The sample's mounting, else the declared one; the sensor's unit is in it.
  Mounting mounting_of(const Points& points) const noexcept {
    Mounting mounting = kNotMoved;
    if (!description_.extrinsics.empty()) {
      std::copy_n(description_.extrinsics.begin(), mounting.size(), mounting.begin());
    }
    if (!points.extrinsics.empty()) {
      std::copy_n(points.extrinsics.begin(), mounting.size(), mounting.begin());
    }
    for (std::size_t i = 0; i < mounting.size(); ++i) {
      if (i % kRow != kAxes) mounting[i] *= description_.metres;
    }
    return mounting;
  }

  /// Writes one point; false, and anything in `out`, where the row is none or lies outside.
  template <typename T>
  bool take(const std::byte* row, std::int64_t column_stride, const Mounting& mounting,
            float* out) const noexcept {
    std::array<double, kAxes> raw;
    for (std::size_t axis = 0; axis < kAxes; ++axis) {
      raw[axis] = load<T>(row + rules_[axis].source * column_stride);
    }
    float poison = 0.0F;  // becomes NaN as soon as one value is not finite
    bool inside = true;
    for (std::size_t axis = 0; axis < kAxes; ++axis) {
      const double* m = mounting.data() + axis * kRow;
      const double place = m[0] * raw[0] + m[1] * raw[1] + m[2] * raw[2] + m[3];
      if (!description_.lower.empty()) {
        inside = inside && place >= description_.lower[axis] && place < description_.upper[axis];
      }
      out[axis] = static_cast<float>((place - rules_[axis].mean) / rules_[axis].std);
      poison += out[axis] * 0.0F;
    }
    for (std::size_t c = kAxes; c < rules_.size(); ++c) {
      const double value = load<T>(row + rules_[c].source * column_stride);
      out[c] = static_cast<float>((value - rules_[c].mean) / rules_[c].std);
      poison += out[c] * 0.0F;
    }
    return inside && !std::isnan(poison);
  }

  template <typename T>
  void write(const ConstTensorView& values, const Mounting& mounting, TensorView out) const {
    const auto channels = static_cast<std::int64_t>(rules_.size());
    const std::int64_t capacity = description_.capacity;
    auto* target = static_cast<float*>(out.data);
    std::array<float, kMaxPointChannels> spilled;
    std::int64_t count = 0;
    const auto* row = static_cast<const std::byte*>(values.data);
    for (std::int64_t i = 0; i < values.shape[0]; ++i, row += values.strides[0]) {
      if (count == capacity && description_.overflow == PointsOverflow::kFirst) break;
      float* place = count < capacity ? target + count * channels : spilled.data();
      if (take<T>(row, values.strides[1], mounting, place)) ++count;
    }
    if (count > capacity && description_.overflow == PointsOverflow::kRefuse) {
      throw SampleError({.where = where_,
                         .expected = "at most " + std::to_string(capacity) + " points",
                         .got = std::to_string(count),
                         .action = "Thin the cloud out before, or export with a larger capacity or "
                                   "another overflow."});
    }
    if (count > capacity) {
      spread<T>(values, mounting, count, target);
    } else {
      std::fill(target + count * channels, target + capacity * channels,
                std::numeric_limits<float>::quiet_NaN());
    }
  }

  /// Of count points those of number floor(i * count / capacity).
  template <typename T>
  void spread(const ConstTensorView& values, const Mounting& mounting, std::int64_t count,
              float* target) const noexcept {
    const auto channels = static_cast<std::int64_t>(rules_.size());
    std::array<float, kMaxPointChannels> skipped;
    std::int64_t number = 0;
    std::int64_t kept = 0;
    const auto* row = static_cast<const std::byte*>(values.data);
    for (; kept < description_.capacity; row += values.strides[0]) {
      const bool wanted = number == kept * count / description_.capacity;
      float* place = wanted ? target + kept * channels : skipped.data();
      if (!take<T>(row, values.strides[1], mounting, place)) continue;
      ++number;
      kept += wanted ? 1 : 0;
    }
  }

  PointsDescription description_;
  std::string where_;
  std::vector<ChannelRule> rules_;
};

}  // namespace

bool is_mounting(std::span<const double> extrinsics) noexcept {
  constexpr double kTolerance = 1e-3;  // calibrations are written with few digits
  for (const double value : extrinsics) {
    if (!std::isfinite(value)) return false;
  }
  for (std::size_t a = 0; a < kAxes; ++a) {
    for (std::size_t b = 0; b <= a; ++b) {
      double product = 0.0;
      for (std::size_t i = 0; i < kAxes; ++i) {
        product += extrinsics[a * kRow + i] * extrinsics[b * kRow + i];
      }
      if (!(std::abs(product - (a == b ? 1.0 : 0.0)) <= kTolerance)) return false;
    }
  }
  return true;
}

std::unique_ptr<Preprocessor> make_points_preprocessor(const ModalityDescription& modality,
                                                       const std::string& where) {
  return std::make_unique<PointsPreprocessor>(modality, where);
}

}  // namespace plait::detail
