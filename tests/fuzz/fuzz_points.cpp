// fuzz_points.cpp: clouds through descriptions that the first bytes choose; a copy must prepare as
// the strided original.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "choices.hpp"
#include "plait/error.hpp"
#include "preprocess/points.hpp"

namespace {

using plait::DType;
using plait::PointsDescription;
using plait::testing::Choices;

plait::ModalityDescription described(Choices& choices) {
  plait::ModalityDescription modality;
  modality.kind = "points";
  PointsDescription& points = modality.points;
  points.sensor_channels = 3 + choices.below(6);
  const std::int64_t channels = 3 + choices.below(5);
  for (std::int64_t c = 0; c < channels; ++c) {
    points.channels.push_back(std::to_string(c));
    points.sources.push_back(choices.below(points.sensor_channels));
    points.mean.push_back(static_cast<float>(choices.next()));
    points.std.push_back(static_cast<float>(1 + choices.next()));
  }
  constexpr std::array kUnits = {1.0, 0.01, 0.001};
  points.metres = kUnits[static_cast<std::size_t>(choices.below(3))];
  points.capacity = 1 + choices.next();
  points.overflow = static_cast<plait::PointsOverflow>(choices.below(3));
  const std::int64_t switches = choices.next();
  if ((switches & 1) != 0) points.extrinsics = {0, -1, 0, 5, 1, 0, 0, -3, 0, 0, 1, 2};
  if ((switches & 2) != 0) {
    points.lower = {-10, -1e9, -1};
    points.upper = {static_cast<double>(choices.next()), 1e9, 3};
  }
  return modality;
}

std::vector<float> prepared(const plait::ModalityDescription& modality,
                            const plait::Points& points) {
  const auto preprocessor = plait::detail::make_points_preprocessor(modality, "fuzz");
  const auto scratch = preprocessor->make_scratch();
  plait::Tensor out(DType::kFloat32, preprocessor->input_shape());
  preprocessor->prepare(points, *scratch, out.view());
  const auto values = out.view().as_span<float>();
  return {values.begin(), values.end()};
}

void run(Choices& choices) {
  const plait::ModalityDescription modality = described(choices);
  const DType dtype = choices.below(2) == 0 ? DType::kFloat32 : DType::kFloat64;
  std::array<double, 12> mounting = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
  const std::int64_t stated = choices.below(4);
  mounting[static_cast<std::size_t>(choices.below(12))] += static_cast<double>(choices.next()) / 99;
  const std::span<const std::uint8_t> rest = choices.rest();
  const std::size_t size = plait::size_of(dtype);
  const std::size_t row = static_cast<std::size_t>(modality.points.sensor_channels) * size;
  const std::size_t rows = rest.size() / row;
  // Memory of exactly their size, planar and by rows.
  const std::vector<std::uint8_t> memory(rest.begin(), rest.begin() + (rows * row));
  std::vector<std::uint8_t> planar(memory.size());
  for (std::size_t i = 0; i < memory.size() / size; ++i) {
    const std::size_t columns = row / size;
    std::memcpy(&planar[(i % columns * rows + i / columns) * size], &memory[i * size], size);
  }
  plait::Points points;
  points.values = {memory.data(), dtype,
                   plait::Shape{static_cast<std::int64_t>(rows), modality.points.sensor_channels}};
  if (stated == 1) points.extrinsics = mounting;
  if (stated == 2) points.extrinsics = std::span(mounting).first(11);
  const std::vector<float> by_rows = prepared(modality, points);
  points.values.data = planar.data();
  points.values.strides[0] = static_cast<std::int64_t>(size);
  points.values.strides[1] = static_cast<std::int64_t>(rows * size);
  const std::vector<float> by_columns = prepared(modality, points);
  if (std::memcmp(by_rows.data(), by_columns.data(), by_rows.size() * sizeof(float)) != 0) {
    std::abort();
  }
  bool ended = false;  // points first, then nothing but NaN
  const std::size_t channels = modality.points.channels.size();
  for (std::size_t i = 0; i < by_rows.size(); ++i) {
    if (std::isinf(by_rows[i])) std::abort();
    if (i % channels == 0) ended = ended || std::isnan(by_rows[i]);
    if (std::isnan(by_rows[i]) != ended) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(data, size);
  try {
    run(choices);
  } catch (const plait::SampleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
  }
  return 0;
}
