// manifest_signal.cpp: the section of a modality of kind "signal".
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
  signal.window = reader.field("window").integer(1, kMaxWindow);
  const auto gap = reader.optional_field("max_gap_ms");
  signal.max_gap_ms =
      gap ? gap->positive(kMaxMilliseconds) : kDefaultGapPeriods * 1000.0 / signal.rate_hz;
  signal.layout = reader.field("layout").choice<SignalLayout>(
      {{"NCT", SignalLayout::kNCT}, {"NTC", SignalLayout::kNTC}});
  signal.mean = parse_per_channel(reader.field("mean"), signal.channels.size(),
                                  std::numeric_limits<float>::lowest());
  // Dividing by less than the smallest normal number could overflow.
  signal.std = parse_per_channel(reader.field("std"), signal.channels.size(),
                                 std::numeric_limits<float>::min());
  return signal;
}

std::vector<std::int64_t> input_shape(const SignalDescription& signal) {
  const auto channels = static_cast<std::int64_t>(signal.channels.size());
  if (signal.layout == SignalLayout::kNTC) return {-1, signal.window, channels};
  return {-1, channels, signal.window};
}

}  // namespace plait::detail
