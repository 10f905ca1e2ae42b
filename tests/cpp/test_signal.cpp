// test_signal.cpp: the signal front-end against a plain float64 reference, and what it refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "plait/error.hpp"
#include "preprocess/preprocessor.hpp"
#include "preprocess/units.hpp"

namespace plait::detail {
namespace {

/// A description with an odd window, a permuted and a flipped axis, and a unit to convert.
ModalityDescription odd_description(SignalLayout layout) {
  ModalityDescription modality;
  modality.name = "imu";
  modality.kind = "signal";
  SignalDescription& signal = modality.signal;
  signal.channels = {{"y", 1, 1.0F}, {"x", 0, -1.0F}, {"q", 3, 1.0F}};
  signal.sensor_channels = 5;
  signal.unit = "m/s^2";
  signal.sensor_unit = "g";
  signal.rate_hz = 52.0;
  signal.rate_tolerance = 0.2;
  signal.window = 37;
  signal.max_gap_ms = 60.0;
  signal.layout = layout;
  signal.mean = {0.5F, -9.0F, 3.0F};
  signal.std = {2.0F, 0.3F, 11.0F};
  return modality;
}

template <typename T>
constexpr DType dtype_for() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  return DType::kInt16;
}

template <typename T>
std::vector<T> random_values(std::size_t count, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(-300.0, 300.0);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(uniform(generator));
  return values;
}

double reference(const SignalDescription& signal, std::size_t c, double raw, double factor) {
  return (raw * signal.channels[c].sign * factor - signal.mean[c]) / signal.std[c];
}

std::size_t position(const SignalDescription& signal, std::size_t c, std::size_t t) {
  return signal.layout == SignalLayout::kNCT ? c * static_cast<std::size_t>(signal.window) + t
                                             : t * signal.channels.size() + c;
}

std::vector<float> prepare(const ModalityDescription& modality, const Signal& signal) {
  const auto preprocessor = make_preprocessor(modality, "test.plait, modality imu");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  preprocessor->prepare(signal, *scratch, out.view());
  const auto span = out.view().as_span<float>();
  return {span.begin(), span.end()};
}

/// The parts of the message of the SampleError that body throws.
template <typename Body>
ErrorParts refused(Body body) {
  try {
    body();
  } catch (const SampleError& error) {
    return error.parts();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

template <typename T>
class SignalTypes : public testing::Test {};
using Types = testing::Types<float, double, std::int16_t>;
TYPED_TEST_SUITE(SignalTypes, Types);

TYPED_TEST(SignalTypes, WindowEqualsTheFormulaInFloat64) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (SignalLayout layout : {SignalLayout::kNCT, SignalLayout::kNTC}) {
    const ModalityDescription modality = odd_description(layout);
    const auto values = random_values<TypeParam>(37 * 5, seed);
    const auto out =
        prepare(modality, {.values = {values.data(), dtype_for<TypeParam>(), Shape{37, 5}}});
    ASSERT_EQ(out.size(), 37U * 3U);
    for (std::size_t c = 0; c < 3; ++c) {
      const auto source = static_cast<std::size_t>(modality.signal.channels[c].source);
      for (std::size_t t = 0; t < 37; ++t) {
        const double wanted = reference(modality.signal, c, values[t * 5 + source], 9.80665);
        EXPECT_NEAR(out[position(modality.signal, c, t)], wanted, 1e-5 * (1 + std::abs(wanted)));
      }
    }
  }
}

TYPED_TEST(SignalTypes, StridesAreFollowed) {
  const ModalityDescription modality = odd_description(SignalLayout::kNCT);
  const auto values = random_values<TypeParam>(37 * 5, 7);
  // The same samples stored [channels, time] and backwards in time.
  std::vector<TypeParam> stored(values.size());
  for (std::size_t t = 0; t < 37; ++t) {
    for (std::size_t c = 0; c < 5; ++c) stored[c * 37 + (36 - t)] = values[t * 5 + c];
  }
  ConstTensorView view(stored.data() + 36, dtype_for<TypeParam>(), Shape{37, 5});
  view.strides[0] = -static_cast<std::int64_t>(sizeof(TypeParam));
  view.strides[1] = 37 * static_cast<std::int64_t>(sizeof(TypeParam));
  EXPECT_EQ(prepare(modality, {.values = view}),
            prepare(modality, {.values = {values.data(), dtype_for<TypeParam>(), Shape{37, 5}}}));
}

/// A time-stamped series whose rows are a linear function of time, so that linear interpolation is
/// exact and the reference is the function itself.
struct LinearSeries {
  std::vector<std::int64_t> stamps;
  std::vector<double> values;

  LinearSeries(std::size_t rows, double period_ns, double jitter, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> uniform(-jitter, jitter);
    const std::int64_t origin =
        1'790'000'000'000'000'000;  // nanoseconds since 1970, as cameras give
    for (std::size_t row = 0; row < rows; ++row) {
      const double moved = row + 1 < rows ? uniform(generator) : 0.0;
      stamps.push_back(origin + std::llround((static_cast<double>(row) + moved) * period_ns));
    }
    for (std::int64_t stamp : stamps) {
      const double age = static_cast<double>(stamps.back() - stamp) * 1e-9;
      for (int c = 0; c < 5; ++c) values.push_back(at(age, c));
    }
  }
  static double at(double age_seconds, int column) { return 3.0 * column - 40.0 * age_seconds; }
  Signal signal() const {
    return {.values = {values.data(), DType::kFloat64,
                       Shape{static_cast<std::int64_t>(stamps.size()), 5}},
            .timestamps_ns = stamps};
  }
};

TEST(ResampleTest, JitteryLinearSeriesIsRecoveredExactly) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const ModalityDescription modality = odd_description(SignalLayout::kNTC);
  for (double rate : {52.0, 47.0, 60.0}) {  // within the 20 % that the description tolerates
    const LinearSeries series(80, 1e9 / rate, 0.3, seed);
    const auto out = prepare(modality, series.signal());
    for (std::size_t t = 0; t < 37; ++t) {
      const double age = static_cast<double>(36 - t) / 52.0;
      for (std::size_t c = 0; c < 3; ++c) {
        const int source = modality.signal.channels[c].source;
        const double wanted = reference(modality.signal, c, LinearSeries::at(age, source), 9.80665);
        EXPECT_NEAR(out[position(modality.signal, c, t)], wanted, 2e-5 * (1 + std::abs(wanted)));
      }
    }
  }
}

TEST(ResampleTest, SeriesOnTheGridEqualsItsLastWindow) {
  ModalityDescription modality = odd_description(SignalLayout::kNCT);
  modality.signal.rate_hz = 50.0;  // its period is a whole number of nanoseconds
  const auto values = random_values<float>(90 * 5, 11);
  std::vector<std::int64_t> stamps(90);
  for (std::size_t row = 0; row < stamps.size(); ++row) {
    stamps[row] = static_cast<std::int64_t>(row) * 20'000'000;
  }
  const Signal series{.values = {values.data(), DType::kFloat32, Shape{90, 5}},
                      .timestamps_ns = stamps};
  const Signal window{.values = {values.data() + (90 - 37) * 5, DType::kFloat32, Shape{37, 5}}};
  EXPECT_EQ(prepare(modality, series), prepare(modality, window));
}

TEST(ResampleTest, GapIsRefusedOnlyInsideTheWindow) {
  const ModalityDescription modality = odd_description(SignalLayout::kNCT);
  LinearSeries series(80, 1e9 / 52.0, 0.0, 1);
  const auto cut_before = [&](std::size_t row, std::int64_t hole_ns) {
    LinearSeries cut = series;
    for (std::size_t i = 0; i < row; ++i) cut.stamps[i] -= hole_ns;
    return cut;
  };
  const LinearSeries old = cut_before(30, 500'000'000);
  EXPECT_NO_THROW(prepare(modality, old.signal()));
  const LinearSeries recent = cut_before(70, 500'000'000);
  const ErrorParts parts = refused([&] { prepare(modality, recent.signal()); });
  EXPECT_NE(parts.expected.find("60 ms"), std::string::npos) << parts.expected;
  EXPECT_NE(parts.got.find("row 70"), std::string::npos) << parts.got;
}

TEST(ResampleTest, BadTimeStampsAreRefused) {
  const ModalityDescription modality = odd_description(SignalLayout::kNCT);
  LinearSeries equal(80, 1e9 / 52.0, 0.0, 1);
  equal.stamps[40] = equal.stamps[39];
  EXPECT_NE(refused([&] { prepare(modality, equal.signal()); }).got.find("timestamps_ns[40]"),
            std::string::npos);
  LinearSeries shorter(20, 1e9 / 52.0, 0.0, 1);
  EXPECT_NE(refused([&] { prepare(modality, shorter.signal()); }).expected.find("window"),
            std::string::npos);
  LinearSeries fast(80, 1e9 / 80.0, 0.0, 1);
  EXPECT_NE(refused([&] { prepare(modality, fast.signal()); }).got.find("80 Hz"),
            std::string::npos);
  LinearSeries extreme(80, 1e9 / 52.0, 0.0, 1);
  extreme.stamps.front() = INT64_MIN;
  EXPECT_NO_THROW(prepare(modality, extreme.signal()));  // before the window: not looked at
  extreme.stamps[75] = INT64_MIN + 1;
  refused([&] { prepare(modality, extreme.signal()); });
  LinearSeries one(1, 1e9 / 52.0, 0.0, 1);
  refused([&] { prepare(modality, one.signal()); });
  LinearSeries fewer(80, 1e9 / 52.0, 0.0, 1);
  fewer.stamps.pop_back();
  Signal mismatched = fewer.signal();
  mismatched.values = {fewer.values.data(), DType::kFloat64, Shape{80, 5}};
  refused([&] { prepare(modality, mismatched); });
}

TEST(SignalTest, WrongSamplesAreRefusedWithWhatWasExpected) {
  const ModalityDescription modality = odd_description(SignalLayout::kNCT);
  const auto values = random_values<float>(38 * 6, 3);
  const auto shaped = [&](DType dtype, const Shape& shape) {
    return refused([&] { prepare(modality, {.values = {values.data(), dtype, shape}}); });
  };
  EXPECT_EQ(shaped(DType::kFloat32, Shape{36, 5}).got, "[36, 5]");
  EXPECT_EQ(shaped(DType::kFloat32, Shape{37, 6}).got, "[37, 6]");
  EXPECT_EQ(shaped(DType::kFloat32, Shape{37}).got, "[37]");
  EXPECT_EQ(shaped(DType::kUInt8, Shape{37, 5}).got, "uint8");
  EXPECT_EQ(refused([&] { prepare(modality, {}); }).got, "no data");
}

TEST(SignalTest, StatedRateAndUnitAreHeldAgainstTheDescription) {
  const ModalityDescription modality = odd_description(SignalLayout::kNCT);
  const auto values = random_values<float>(37 * 5, 5);
  const ConstTensorView view(values.data(), DType::kFloat32, Shape{37, 5});
  EXPECT_NO_THROW(prepare(modality, {.values = view, .rate_hz = 50.0}));
  refused([&] { prepare(modality, {.values = view, .rate_hz = 100.0}); });
  refused([&] { prepare(modality, {.values = view, .rate_hz = std::nan("")}); });
  refused([&] { prepare(modality, {.values = view, .unit = "rad/s"}); });
  auto scaled = values;
  for (float& value : scaled) value *= 9.80665F;
  const auto in_g = prepare(modality, {.values = view});
  const auto in_si = prepare(
      modality, {.values = {scaled.data(), DType::kFloat32, Shape{37, 5}}, .unit = "m/s^2"});
  for (std::size_t i = 0; i < in_g.size(); ++i) {
    EXPECT_NEAR(in_g[i], in_si[i], 1e-4 * (1 + std::abs(in_g[i])));
  }
}

TEST(SignalTest, NonFiniteValuesAreRefusedWhereTheyAreUsed) {
  const ModalityDescription modality = odd_description(SignalLayout::kNCT);
  for (float poison : {NAN, INFINITY, -INFINITY}) {
    auto values = random_values<float>(37 * 5, 9);
    values[12 * 5 + 1] = poison;
    const ErrorParts parts = refused([&] {
      prepare(modality, {.values = {values.data(), DType::kFloat32, Shape{37, 5}}});
    });
    EXPECT_NE(parts.got.find("row 12, column 1"), std::string::npos) << parts.got;
  }
  std::vector<double> huge(37 * 5, 1e300);
  refused([&] { prepare(modality, {.values = {huge.data(), DType::kFloat64, Shape{37, 5}}}); });
}

TEST(SignalTest, UnknownKindOrUnitIsABundleError) {
  ModalityDescription modality = odd_description(SignalLayout::kNCT);
  modality.kind = "smell";
  EXPECT_THROW(make_preprocessor(modality, "test"), BundleError);
  modality = odd_description(SignalLayout::kNCT);
  modality.signal.sensor_unit = "deg/s";
  EXPECT_THROW(make_preprocessor(modality, "test"), BundleError);
}

TEST(UnitTest, FactorsAreInverseAndRefuseOtherQuantities) {
  EXPECT_DOUBLE_EQ(unit_factor("g", "m/s^2").value(), 9.80665);
  EXPECT_NEAR(unit_factor("deg/s", "rad/s").value() * unit_factor("rad/s", "deg/s").value(), 1.0,
              1e-15);
  EXPECT_EQ(unit_factor("furlong", "furlong"), 1.0);
  EXPECT_FALSE(unit_factor("g", "rad/s"));
  EXPECT_FALSE(unit_factor("furlong", "m/s^2"));
}

}  // namespace
}  // namespace plait::detail
