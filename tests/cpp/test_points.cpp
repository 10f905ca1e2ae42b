// test_points.cpp: the point cloud front-end against a plain float64 reference, and what it
// refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "plait/error.hpp"
#include "preprocess/points.hpp"

namespace plait::detail {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Columns in another order, one of them of no use; a mirrored, turned and moved sensor.
ModalityDescription odd_description(std::int64_t capacity, PointsOverflow overflow) {
  ModalityDescription modality;
  modality.name = "lidar";
  modality.kind = "points";
  PointsDescription& points = modality.points;
  points.channels = {"x", "y", "z", "intensity"};
  points.sources = {3, 0, 2, 4};
  points.sensor_channels = 5;
  points.metres = 0.01;
  points.extrinsics = {0.6, -0.8, 0, 1.5, -0.8, -0.6, 0, -2.5, 0, 0, 1, 0.25};
  points.lower = {-30, -20, -5};
  points.upper = {25, 40, 6};
  points.capacity = capacity;
  points.overflow = overflow;
  points.mean = {0.5F, 0.0F, -1.0F, 12.0F};
  points.std = {2.0F, 1.0F, 0.5F, 30.0F};
  return modality;
}

template <typename T>
constexpr DType dtype_for() {
  return std::is_same_v<T, float> ? DType::kFloat32 : DType::kFloat64;
}

template <typename T>
Points view(const std::vector<T>& values, std::int64_t columns) {
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  return {.values = {values.data(), dtype_for<T>(), Shape{rows, columns}}};
}

template <typename T>
std::vector<T> random_rows(std::size_t rows, std::mt19937& generator) {
  std::normal_distribution<double> normal(0.0, 2500.0);
  std::vector<T> values(rows * 5);
  for (T& value : values) value = static_cast<T>(normal(generator));
  std::uniform_int_distribution<int> tenth(0, 9);
  for (std::size_t row = 0; row < rows; ++row) {
    if (tenth(generator) == 0) values[row * 5 + 3] = static_cast<T>(kNan);
    if (tenth(generator) == 0) values[row * 5 + 1] = static_cast<T>(kNan);  // of no use
  }
  return values;
}

std::vector<float> prepared(const ModalityDescription& modality, const Points& points) {
  const auto preprocessor = make_points_preprocessor(modality, "test.plait, modality lidar");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  preprocessor->prepare(points, *scratch, out.view());
  const auto span = out.view().as_span<float>();
  return {span.begin(), span.end()};
}

/// The points that are kept, by the definition; not cut to the capacity.
template <typename T>
std::vector<std::vector<double>> kept(const PointsDescription& d, const std::vector<T>& values,
                                      const std::vector<double>& mounting) {
  std::vector<std::vector<double>> points;
  for (std::size_t row = 0; row + 5 <= values.size(); row += 5) {
    std::vector<double> point;
    bool inside = true;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      double place = mounting[axis * 4 + 3];
      for (std::size_t i = 0; i < 3; ++i) {
        const double raw = values[row + static_cast<std::size_t>(d.sources[i])];
        place += mounting[axis * 4 + i] * (raw * d.metres);
      }
      inside = inside && place >= d.lower[axis] && place < d.upper[axis];
      point.push_back(place);
    }
    point.push_back(values[row + static_cast<std::size_t>(d.sources[3])]);
    for (std::size_t c = 0; c < 4; ++c) point[c] = (point[c] - d.mean[c]) / d.std[c];
    if (inside) points.push_back(point);
  }
  return points;
}

class PointsTest : public testing::Test {
 protected:
  void SetUp() override {
    seed_ = std::random_device{}();
    generator_.seed(seed_);
  }
  std::size_t between(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(generator_);
  }

  template <typename T>
  void expect_definition(PointsOverflow overflow) {
    const ModalityDescription modality =
        odd_description(static_cast<std::int64_t>(between(1, 90)), overflow);
    const auto capacity = static_cast<std::size_t>(modality.points.capacity);
    const std::vector<T> values = random_rows<T>(between(0, 300), generator_);
    const auto expected = kept(modality.points, values, modality.points.extrinsics);
    const std::vector<float> found = prepared(modality, view(values, 5));
    const std::size_t count = std::min(expected.size(), capacity);
    for (std::size_t i = 0; i < count; ++i) {
      const bool spread = overflow == PointsOverflow::kSpread && expected.size() > capacity;
      const auto& point = expected[spread ? i * expected.size() / capacity : i];
      for (std::size_t c = 0; c < 4; ++c) {
        ASSERT_NEAR(found[i * 4 + c], point[c], 1e-6 * std::max(1.0, std::abs(point[c]))) << i;
      }
    }
    for (std::size_t i = count * 4; i < found.size(); ++i) ASSERT_TRUE(std::isnan(found[i])) << i;
  }

  std::uint32_t seed_ = 0;
  std::mt19937 generator_;
};

/// The refusal's four parts; the test fails where there is none.
ErrorParts refusal_of(const ModalityDescription& modality, const Sample& sample) {
  try {
    const auto preprocessor = make_points_preprocessor(modality, "test.plait, modality lidar");
    const auto scratch = preprocessor->make_scratch();
    Tensor out(DType::kFloat32, preprocessor->input_shape());
    preprocessor->prepare(sample, *scratch, out.view());
  } catch (const SampleError& error) {
    EXPECT_EQ(error.parts().where, "test.plait, modality lidar");
    EXPECT_NE(error.parts().expected, "");
    EXPECT_NE(error.parts().got, "");
    EXPECT_NE(error.parts().action, "");
    return error.parts();
  }
  ADD_FAILURE() << "taken";
  return {};
}

TEST_F(PointsTest, EveryPointIsItsDefinition) {
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    for (const auto overflow : {PointsOverflow::kFirst, PointsOverflow::kSpread}) {
      expect_definition<float>(overflow);
      expect_definition<double>(overflow);
    }
  }
}

TEST_F(PointsTest, StridesChangeNothing) {
  const ModalityDescription modality = odd_description(40, PointsOverflow::kSpread);
  const std::vector<float> values = random_rows<float>(200, generator_);
  std::vector<float> planar(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) planar[i % 5 * 200 + i / 5] = values[i];
  Points points = view(values, 5);
  const std::vector<float> expected = prepared(modality, points);
  points.values.data = planar.data();
  points.values.strides[0] = sizeof(float);
  points.values.strides[1] = 200 * sizeof(float);
  const std::vector<float> found = prepared(modality, points);
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0)
      << "seed " << seed_;
}

TEST_F(PointsTest, AStatedMountingTakesThePlaceOfTheDeclared) {
  ModalityDescription modality = odd_description(300, PointsOverflow::kRefuse);
  const std::vector<double> values = random_rows<double>(200, generator_);
  Points points = view(values, 5);
  const std::vector<double> mounting = {0, 0, 1, 3, 0, 1, 0, -1, -1, 0, 0, 2};
  points.extrinsics = mounting;
  const std::vector<float> stated = prepared(modality, points);
  modality.points.extrinsics = mounting;
  points.extrinsics = {};
  const std::vector<float> declared = prepared(modality, points);
  EXPECT_EQ(std::memcmp(stated.data(), declared.data(), stated.size() * sizeof(float)), 0);
  EXPECT_FALSE(std::isnan(stated[0])) << "seed " << seed_;
}

TEST_F(PointsTest, ANumberThatFloat32CannotHoldIsNoPoint) {
  ModalityDescription modality = odd_description(3, PointsOverflow::kRefuse);
  modality.points.lower.clear();
  modality.points.upper.clear();
  const std::vector<double> values = {0, 0, 0, 0, 1e300, 1e300, 0, 0, 0, 0, 1, 2, 3, 4, 5};
  const std::vector<float> found = prepared(modality, view(values, 5));
  EXPECT_FALSE(std::isnan(found[0]));
  for (std::size_t i = 4; i < found.size(); ++i) EXPECT_TRUE(std::isnan(found[i])) << i;
}

TEST_F(PointsTest, NothingIsAllocatedOnceWarm) {
  const auto preprocessor =
      make_points_preprocessor(odd_description(20, PointsOverflow::kSpread), "test");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  const std::vector<float> values = random_rows<float>(500, generator_);
  const Sample sample = view(values, 5);
  const testing_support::AllocationCounter allocations;
  preprocessor->prepare(sample, *scratch, out.view());
  EXPECT_EQ(allocations.count(), 0U);
}

TEST_F(PointsTest, ACloudOfNoPointsIsTaken) {
  const ModalityDescription modality = odd_description(4, PointsOverflow::kRefuse);
  Points none;
  none.values = {nullptr, DType::kFloat32, Shape{0, 5}};
  for (const float value : prepared(modality, none)) EXPECT_TRUE(std::isnan(value));
}

TEST_F(PointsTest, MoreThanTheCapacityIsRefusedWhereItIsSaidSo) {
  ModalityDescription modality = odd_description(1, PointsOverflow::kRefuse);
  const std::vector<float> values = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  EXPECT_EQ(refusal_of(modality, view(values, 5)).got, "2");
  const std::vector<float> outside = {0, 0, 0, 0, 0, 1, 1, 1e6F, 1, 1};
  EXPECT_FALSE(std::isnan(prepared(modality, view(outside, 5))[0]));
}

TEST_F(PointsTest, WhatIsNoSuchCloudIsRefused) {
  const ModalityDescription modality = odd_description(4, PointsOverflow::kFirst);
  const std::vector<float> values(20);
  EXPECT_EQ(refusal_of(modality, view(values, 4)).got, "[5, 4]");
  Points points = view(values, 5);
  points.values.shape = Shape{20};
  refusal_of(modality, points);
  points = view(values, 5);
  points.values.dtype = DType::kInt32;
  EXPECT_EQ(refusal_of(modality, points).got, "int32");
  points = view(values, 5);
  points.values.data = nullptr;
  EXPECT_EQ(refusal_of(modality, points).got, "no data");
  EXPECT_EQ(refusal_of(modality, Text{"hello"}).got, "a text");
}

TEST_F(PointsTest, WhatIsNoMountingIsRefused) {
  const std::vector<float> values(20);
  ModalityDescription modality = odd_description(4, PointsOverflow::kFirst);
  for (const std::vector<double>& mounting :
       {std::vector<double>(9, 0.0), std::vector<double>(12, 0.0), std::vector<double>(12, 1.0),
        std::vector<double>{1, 0, 0, 0, 0, 1.1, 0, 0, 0, 0, 1, 0},
        std::vector<double>{1, 0, 0, kNan, 0, 1, 0, 0, 0, 0, 1, 0}}) {
    Points points = view(values, 5);
    points.extrinsics = mounting;
    refusal_of(modality, points);
    modality.points.extrinsics = mounting;
    if (mounting.size() == 12) {
      EXPECT_THROW(make_points_preprocessor(modality, "test"), BundleError);
    }
    modality.points.extrinsics.clear();
  }
}

}  // namespace
}  // namespace plait::detail
