// manifest_points.cpp: the section of a modality of kind "points".
#include <algorithm>
#include <limits>

#include "bundle/manifest.hpp"
#include "bundle/manifest_kinds.hpp"

namespace plait::detail {
namespace {

constexpr std::int64_t kMaxCapacity = 10'000'000;
constexpr double kMaxMetres = 1e9;
constexpr std::size_t kAxes = 3;

/// The encoder's channels, x, y and z first, looked up among the sensor's columns.
void parse_channels(const JsonReader& reader, PointsDescription& points) {
  const JsonReader columns = reader.field("sensor").field("channels");
  const std::vector<std::string> sensor = columns.unique_texts(kAxes, kMaxPointChannels);
  points.sensor_channels = static_cast<std::int64_t>(sensor.size());
  const JsonReader channels = reader.field("channels");
  points.channels = channels.unique_texts(kAxes, kMaxPointChannels);
  constexpr const char* kPlace[] = {"x", "y", "z"};
  if (!std::equal(std::begin(kPlace), std::end(kPlace), points.channels.begin())) {
    channels.fail("x, y and z first",
                  points.channels[0] + ", " + points.channels[1] + ", " + points.channels[2]);
  }
  for (const std::string& name : points.channels) {
    const auto found = std::find(sensor.begin(), sensor.end(), name);
    if (found == sensor.end()) {
      channels.fail("channels among those of " + columns.path(), quote(name));
    }
    points.sources.push_back(found - sensor.begin());
  }
}

void parse_extrinsics(const JsonReader& list, PointsDescription& points) {
  for (const JsonReader& row : list.elements(kAxes, kAxes)) {
    for (const JsonReader& value : row.elements(kAxes + 1, kAxes + 1)) {
      points.extrinsics.push_back(value.number(-kMaxMetres, kMaxMetres));
    }
  }
}

std::vector<double> parse_corner(const JsonReader& list) {
  std::vector<double> corner;
  for (const JsonReader& value : list.elements(kAxes, kAxes)) {
    corner.push_back(value.number(-kMaxMetres, kMaxMetres));
  }
  return corner;
}

void parse_range(const JsonReader& range, PointsDescription& points) {
  points.lower = parse_corner(range.field("lower"));
  points.upper = parse_corner(range.field("upper"));
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    if (!(points.lower[axis] < points.upper[axis])) {
      range.fail("lower below upper",
                 std::to_string(points.lower[axis]) + " and " + std::to_string(points.upper[axis]));
    }
  }
}

}  // namespace

PointsDescription parse_points(const JsonReader& reader) {
  PointsDescription points;
  parse_channels(reader, points);
  points.capacity = reader.field("capacity").integer(1, kMaxCapacity);
  points.overflow = reader.field("overflow")
                        .choice<PointsOverflow>({{"refuse", PointsOverflow::kRefuse},
                                                 {"first", PointsOverflow::kFirst},
                                                 {"spread", PointsOverflow::kSpread}});
  const JsonReader sensor = reader.field("sensor");
  points.metres = sensor.field("unit").choice<double>({{"m", 1.0}, {"cm", 0.01}, {"mm", 0.001}});
  if (const auto extrinsics = sensor.optional_field("extrinsics")) {
    parse_extrinsics(*extrinsics, points);
  }
  if (const auto range = reader.optional_field("range")) parse_range(*range, points);
  const std::size_t channels = points.channels.size();
  points.mean =
      parse_per_channel(reader.field("mean"), channels, std::numeric_limits<float>::lowest());
  // Dividing by less than the smallest normal number could overflow.
  points.std = parse_per_channel(reader.field("std"), channels, std::numeric_limits<float>::min());
  return points;
}

std::vector<std::int64_t> input_shape(const PointsDescription& points) {
  return {-1, points.capacity, static_cast<std::int64_t>(points.channels.size())};
}

}  // namespace plait::detail
