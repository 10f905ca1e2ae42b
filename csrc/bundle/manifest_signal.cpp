// manifest_signal.cpp: the section of a modality of kind "signal".
#include <algorithm>
#include <limits>
#include <map>

#include "bundle/manifest.hpp"
#include "bundle/manifest_kinds.hpp"

namespace plait::detail {
namespace {

constexpr double kMaxRateHz = 1e9;
constexpr double kDefaultRateTolerance = 0.2;
constexpr double kDefaultGapPeriods = 3.0;

/// Channels in the encoder's order, looked up among the sensor's, where "-x" is x turned round.
void parse_channels(const JsonReader& reader, SignalDescription& signal) {
  const JsonReader sensor = reader.field("sensor");
  const JsonReader columns = sensor.field("channels");
  std::map<std::string, SignalChannel> by_name;
  for (std::string& column : columns.unique_texts(1, kMaxChannels)) {
    SignalChannel channel{column, signal.sensor_channels++, 1.0F};
    if (column.front() == '-') {
      channel.name.erase(0, 1);
      channel.sign = -1.0F;
    }
    if (channel.name.empty() || channel.name.front() == '-') {
      columns.fail("channel names, with at most one '-' in front", quote(column));
    }
    if (!by_name.emplace(channel.name, channel).second) {
      columns.fail("each axis once", quote(column) + " and its opposite");
    }
  }
  const JsonReader channels = reader.field("channels");
  for (const std::string& name : channels.unique_texts(1, kMaxChannels)) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      channels.fail("channels among those of " + columns.path(), quote(name));
    }
    signal.channels.push_back(found->second);
  }
  signal.sensor_unit = sensor.field("unit").text();
}

/// A matrix's rows are numbers of sensor channels; more of them are not calibrated axis by axis.
constexpr std::size_t kMaxCalibrated = 64;

std::vector<double> numbers(const JsonReader& list, std::size_t count) {
  constexpr double kMost = std::numeric_limits<float>::max();
  std::vector<double> values;
  for (const JsonReader& element : list.elements(count, count)) {
    values.push_back(element.number(-kMost, kMost));
  }
  return values;
}

void parse_calibration(const JsonReader& sensor, SignalDescription& signal) {
  const auto calibration = sensor.optional_field("calibration");
  if (!calibration) return;
  const auto columns = static_cast<std::size_t>(signal.sensor_channels);
  if (columns > kMaxCalibrated) {
    calibration->fail("a calibration of at most " + std::to_string(kMaxCalibrated) + " channels",
                      std::to_string(columns));
  }
  signal.bias = numbers(calibration->field("bias"), columns);
  for (const JsonReader& row : calibration->field("matrix").elements(columns, columns)) {
    const std::vector<double> values = numbers(row, columns);
    signal.matrix.insert(signal.matrix.end(), values.begin(), values.end());
  }
}

void parse_rates(const JsonReader& sensor, SignalDescription& signal) {
  constexpr std::size_t kMaxRates = 16;
  // A window of the fastest series has to be one that can be held.
  constexpr double kMaxReduction = 1024.0;
  if (const auto rates = sensor.optional_field("rates_hz")) {
    for (const JsonReader& rate : rates->elements(1, kMaxRates)) {
      const double value = rate.positive(kMaxRateHz);
      if (value > kMaxReduction * signal.rate_hz || signal.rate_hz > kMaxReduction * value) {
        rate.fail("at most " + std::to_string(static_cast<int>(kMaxReduction)) +
                      " times, and at least as small a part of, rate_hz",
                  std::to_string(value));
      }
      signal.rates_hz.push_back(value);
    }
  }
  const auto antialias = sensor.optional_field("antialias");
  signal.antialias = !antialias || antialias->boolean();
}

void parse_normalization(const JsonReader& reader, SignalDescription& signal) {
  if (const auto kind = reader.optional_field("normalization")) {
    signal.normalization =
        kind->choice<SignalNormalization>({{"fixed", SignalNormalization::kFixed},
                                           {"window", SignalNormalization::kWindow},
                                           {"running", SignalNormalization::kRunning}});
  }
  if (const auto epsilon = reader.optional_field("epsilon")) {
    signal.epsilon = epsilon->positive(std::numeric_limits<float>::max());
  }
  if (const auto momentum = reader.optional_field("momentum")) {
    signal.momentum = momentum->positive(1.0);
  }
}

}  // namespace

std::vector<float> parse_per_channel(const JsonReader& list, std::size_t channels, float least) {
  std::vector<float> result;
  for (const JsonReader& element : list.elements(channels, channels)) {
    const double value = element.number(least, std::numeric_limits<float>::max());
    result.push_back(static_cast<float>(value));
  }
  return result;
}

SignalDescription parse_signal(const JsonReader& reader) {
  SignalDescription signal;
  parse_channels(reader, signal);
  signal.unit = reader.field("unit").text();
  signal.rate_hz = reader.field("rate_hz").positive(kMaxRateHz);
  const auto tolerance = reader.optional_field("rate_tolerance");
  signal.rate_tolerance = tolerance ? tolerance->number(0.0, 1.0) : kDefaultRateTolerance;
  parse_rates(reader.field("sensor"), signal);
  parse_calibration(reader.field("sensor"), signal);
  parse_normalization(reader, signal);
  signal.window = reader.field("window").integer(1, kMaxWindow);
  const auto gap = reader.optional_field("max_gap_ms");
  const double slowest = signal.rates_hz.empty()
                             ? signal.rate_hz
                             : *std::min_element(signal.rates_hz.begin(), signal.rates_hz.end());
  signal.max_gap_ms = gap ? gap->positive(kMaxMilliseconds) : kDefaultGapPeriods * 1000.0 / slowest;
  signal.layout = reader.field("layout").choice<SignalLayout>(
      {{"NCT", SignalLayout::kNCT}, {"NTC", SignalLayout::kNTC}});
  signal.mean = parse_per_channel(reader.field("mean"), signal.channels.size(),
                                  std::numeric_limits<float>::lowest());
  // Dividing by less than the smallest normal number could overflow.
  signal.std = parse_per_channel(reader.field("std"), signal.channels.size(),
                                 std::numeric_limits<float>::min());
  const auto is = [](float wanted) { return [=](float value) { return value == wanted; }; };
  if (signal.normalization == SignalNormalization::kWindow &&
      !(std::all_of(signal.mean.begin(), signal.mean.end(), is(0.0F)) &&
        std::all_of(signal.std.begin(), signal.std.end(), is(1.0F)))) {
    reader.field("normalization")
        .fail("mean 0 and std 1 where the window's own are used", "others");
  }
  return signal;
}

std::vector<std::int64_t> input_shape(const SignalDescription& signal) {
  const auto channels = static_cast<std::int64_t>(signal.channels.size());
  if (signal.layout == SignalLayout::kNTC) return {-1, signal.window, channels};
  return {-1, channels, signal.window};
}

}  // namespace plait::detail
