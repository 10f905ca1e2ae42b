// test_signal_online.cpp: several rates, calibration, and normalisation by the samples themselves.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "allocations.hpp"
#include "plait/error.hpp"
#include "preprocess/signal.hpp"

namespace plait::detail {
namespace {

constexpr std::int64_t kChannels = 3;

class SignalOnline : public testing::Test {
 protected:
  SignalOnline() {
    modality_.name = "imu";
    modality_.kind = "signal";
    SignalDescription& signal = modality_.signal;
    signal.channels = {{"z", 2, 1.0F}, {"x", 0, -1.0F}};
    signal.sensor_channels = kChannels;
    signal.unit = "m/s^2";
    signal.sensor_unit = std::string("g");
    signal.rate_hz = 50.0;
    signal.rate_tolerance = 0.05;
    signal.window = 41;
    signal.max_gap_ms = 500.0;
    signal.mean = {0.0F, 0.0F};
    signal.std = {1.0F, 1.0F};
  }

  std::vector<double> noise(std::int64_t rows) {
    std::normal_distribution<double> normal(0.7, 2.0);
    std::vector<double> values(static_cast<std::size_t>(rows * kChannels));
    for (double& value : values) value = normal(generator_);
    return values;
  }

  static Signal sample(const std::vector<double>& values) {
    const auto rows = static_cast<std::int64_t>(values.size()) / kChannels;
    return {.values = {values.data(), DType::kFloat64, Shape{rows, kChannels}}};
  }

  std::vector<float> prepare(const Signal& signal) const {
    const auto preprocessor = make_signal_preprocessor(modality_, "test");
    const auto scratch = preprocessor->make_scratch();
    Tensor out(DType::kFloat32, preprocessor->input_shape());
    preprocessor->prepare(signal, *scratch, out.view());
    const auto span = out.view().as_span<float>();
    return {span.begin(), span.end()};
  }

  const std::uint32_t seed_ = std::random_device{}();
  std::mt19937 generator_{seed_};
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  ModalityDescription modality_;
};

TEST_F(SignalOnline, AConstantIsTheSameAtEveryRate) {
  modality_.signal.rates_hz = {25.0, 50.0, 100.0, 130.0};
  for (const double rate : modality_.signal.rates_hz) {
    const auto rows = static_cast<std::int64_t>(std::ceil(41 * rate / 50.0));
    std::vector<double> values;
    for (std::int64_t t = 0; t < rows; ++t) values.insert(values.end(), {1.0, 2.0, 3.0});
    Signal signal = sample(values);
    signal.rate_hz = rate;
    const auto out = prepare(signal);
    for (std::size_t t = 0; t < 41; ++t) {
      EXPECT_NEAR(out[t], 3.0 * 9.80665, 1e-5) << rate;
      EXPECT_NEAR(out[41 + t], -9.80665, 1e-5) << rate;
    }
  }
}

TEST_F(SignalOnline, AStatedRateIsWhatTimeStampsOfThatRateAre) {
  modality_.signal.rates_hz = {20.0, 50.0, 125.0};
  for (const bool antialias : {true, false}) {
    modality_.signal.antialias = antialias;
    for (const double rate : {20.0, 125.0}) {
      const auto rows = static_cast<std::int64_t>(std::ceil(41 * rate / 50.0));
      const auto values = noise(rows);
      Signal stated = sample(values);
      stated.rate_hz = rate * 1.01;  // within the tolerance: meant is the declared rate
      std::vector<std::int64_t> stamps;
      for (std::int64_t t = 0; t < rows; ++t) {
        stamps.push_back(1'700'000'000'000'000'000 + t * static_cast<std::int64_t>(1e9 / rate));
      }
      Signal stamped = sample(values);
      stamped.timestamps_ns = stamps;
      const auto expected = prepare(stamped);
      const auto out = prepare(stated);
      for (std::size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], expected[i], 1e-4) << rate;
    }
  }
}

TEST_F(SignalOnline, ReducingAveragesByATriangleOfOnePeriod) {
  modality_.signal.rates_hz = {50.0, 100.0};
  const auto values = noise(82);
  Signal signal = sample(values);
  signal.rate_hz = 100.0;
  const auto out = prepare(signal);
  for (std::size_t t = 1; t < 40; ++t) {
    const std::size_t row = 2 * t + 1;  // the last of 82 rows is the last of 41 points
    const auto z = [&](std::size_t r) { return values[r * kChannels + 2] * 9.80665; };
    EXPECT_NEAR(out[t], (z(row - 1) + 2 * z(row) + z(row + 1)) / 4, 1e-4);
  }
  EXPECT_NEAR(out[40], (values[80 * 3 + 2] + 2 * values[81 * 3 + 2]) / 3 * 9.80665, 1e-4);
  modality_.signal.antialias = false;
  const auto picked = prepare(signal);
  for (std::size_t t = 0; t < 41; ++t) {
    EXPECT_NEAR(picked[t], values[(2 * t + 1) * kChannels + 2] * 9.80665, 1e-4);
  }
}

TEST_F(SignalOnline, OtherRatesAndLengthsAreRefused) {
  modality_.signal.rates_hz = {25.0, 50.0};
  const auto values = noise(41);
  Signal signal = sample(values);
  for (const double rate : {100.0, 30.0, -25.0, std::nan(""), HUGE_VAL}) {
    signal.rate_hz = rate;
    EXPECT_THROW(prepare(signal), SampleError) << rate;
  }
  signal.rate_hz = 25.0;  // of which a window has 21 rows
  EXPECT_THROW(prepare(signal), SampleError);
  const auto short_values = noise(21);
  Signal right = sample(short_values);
  right.rate_hz = 25.0;
  EXPECT_NO_THROW(prepare(right));
}

TEST_F(SignalOnline, CalibrationComesBeforeAxesAndUnits) {
  SignalDescription& signal = modality_.signal;
  signal.bias = {0.5, -1.0, 2000.0};
  signal.matrix = {1.1, 0.02, -0.03, 0.01, 0.9, 0.04, -0.02, 0.05, 1.2};
  auto values = noise(41);
  for (std::size_t t = 0; t < 41; ++t) values[t * kChannels + 2] += 2000.0;
  const auto out = prepare(sample(values));
  for (std::size_t t = 0; t < 41; ++t) {
    std::vector<double> calibrated(kChannels);
    for (std::size_t i = 0; i < kChannels; ++i) {
      for (std::size_t j = 0; j < kChannels; ++j) {
        calibrated[i] +=
            signal.matrix[i * kChannels + j] * (values[t * kChannels + j] - signal.bias[j]);
      }
    }
    // The bias is a thousand times the signal: what is left keeps its digits.
    EXPECT_NEAR(out[t], calibrated[2] * 9.80665, 1e-5);
    EXPECT_NEAR(out[41 + t], -calibrated[0] * 9.80665, 1e-5);
  }
  Signal metric = sample(values);
  metric.unit = "m/s^2";  // of which the sensor's g is a multiple: the same values in g
  for (double& value : values) value *= 9.80665;
  const auto same = prepare(metric);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(same[i], out[i], 1e-4);
}

TEST_F(SignalOnline, AWindowsOwnStatisticsGiveZeroMeanAndUnitDeviation) {
  modality_.signal.normalization = SignalNormalization::kWindow;
  for (const double offset : {0.0, 1e6}) {
    auto values = noise(41);
    for (double& value : values) value += offset;
    const auto out = prepare(sample(values));
    for (std::size_t c = 0; c < 2; ++c) {
      double sum = 0.0;
      double squares = 0.0;
      for (std::size_t t = 0; t < 41; ++t) sum += static_cast<double>(out[41 * c + t]);
      for (std::size_t t = 0; t < 41; ++t) {
        squares += std::pow(static_cast<double>(out[41 * c + t]) - sum / 41, 2);
      }
      EXPECT_NEAR(sum / 41, 0.0, 1e-5);
      EXPECT_NEAR(squares / 41, 1.0, 1e-5);
    }
  }
  const std::vector<double> still(41 * kChannels, 9.81);
  for (const float value : prepare(sample(still))) EXPECT_NEAR(value, 0.0F, 1e-5F);
}

TEST_F(SignalOnline, ARunningStateMovesByItsMomentum) {
  SignalDescription& signal = modality_.signal;
  signal.normalization = SignalNormalization::kRunning;
  signal.momentum = 0.25;
  signal.epsilon = 1e-3;
  signal.mean = {3.0F, -5.0F};
  signal.std = {4.0F, 2.0F};
  SignalState state = first_signal_state(signal);
  EXPECT_EQ(state.mean, (std::vector<double>{3.0, -5.0}));
  EXPECT_EQ(state.variance, (std::vector<double>{16.0, 4.0}));
  double mean = 3.0;
  double variance = 16.0;
  for (int step = 0; step < 5; ++step) {
    const auto values = noise(41);
    Signal given = sample(values);
    const auto alone = prepare(given);
    given.state = &state;
    const auto out = prepare(given);
    EXPECT_TRUE(step > 0 || out == alone);
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t t = 0; t < 41; ++t) sum += values[t * kChannels + 2] * 9.80665;
    for (std::size_t t = 0; t < 41; ++t) {
      squares += std::pow(values[t * kChannels + 2] * 9.80665 - sum / 41, 2);
    }
    mean = 0.75 * mean + 0.25 * sum / 41;
    variance = 0.75 * variance + 0.25 * squares / 41;
    EXPECT_NEAR(state.mean[0], mean, 1e-5);
    EXPECT_NEAR(state.variance[0], variance, 1e-4);
    for (std::size_t t = 0; t < 41; ++t) {
      const double physical = values[t * kChannels + 2] * 9.80665;
      EXPECT_NEAR(out[t], (physical - mean) / (std::sqrt(variance) + 1e-3), 1e-4);
    }
  }
}

TEST_F(SignalOnline, ARefusedSampleLeavesTheStateAsItWas) {
  modality_.signal.normalization = SignalNormalization::kRunning;
  SignalState state = first_signal_state(modality_.signal);
  const SignalState before = state;
  auto values = noise(41);
  values[100] = std::nan("");
  values[101] = std::nan("");
  values[102] = std::nan("");
  Signal given = sample(values);
  given.state = &state;
  EXPECT_THROW(prepare(given), SampleError);
  EXPECT_EQ(state.mean, before.mean);
  EXPECT_EQ(state.variance, before.variance);
}

TEST_F(SignalOnline, AStateThatIsNoneIsRefused) {
  const auto values = noise(41);
  Signal given = sample(values);
  SignalState state{{0.0, 0.0}, {1.0, 1.0}};
  given.state = &state;
  EXPECT_THROW(prepare(given), SampleError);  // fixed normalisation
  modality_.signal.normalization = SignalNormalization::kRunning;
  EXPECT_NO_THROW(prepare(given));
  for (const SignalState& wrong :
       {SignalState{}, SignalState{{0.0}, {1.0}}, SignalState{{0.0, 0.0}, {1.0, -1.0}},
        SignalState{{0.0, std::nan("")}, {1.0, 1.0}}, SignalState{{0.0, 0.0}, {1.0, HUGE_VAL}}}) {
    state = wrong;
    EXPECT_THROW(prepare(given), SampleError);
  }
}

TEST_F(SignalOnline, OnceWarmNothingIsAllocated) {
  SignalDescription& signal = modality_.signal;
  signal.rates_hz = {50.0, 100.0};
  signal.normalization = SignalNormalization::kRunning;
  signal.bias.assign(3, 0.5);
  signal.matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const auto preprocessor = make_signal_preprocessor(modality_, "test");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  const auto values = noise(82);
  Signal given = sample(values);
  given.rate_hz = 100.0;
  SignalState state = first_signal_state(signal);
  for (SignalState* each : {&state, static_cast<SignalState*>(nullptr)}) {
    given.state = each;
    preprocessor->prepare(given, *scratch, out.view());
    const testing_support::AllocationCounter counter;
    preprocessor->prepare(given, *scratch, out.view());
    EXPECT_EQ(counter.count(), 0U);
  }
}

}  // namespace
}  // namespace plait::detail
