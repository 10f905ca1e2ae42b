// multi_scale_deformable_attention/scalar.cpp: shapes, checks, and the plain loop.
#include <cmath>
#include <limits>

#include "base/element.hpp"
#include "ops/multi_scale_deformable_attention/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator MultiScaleDeformableAttention";

/// One level's map of one batch and head, and a place on it in pixels.
template <typename Type>
struct Map {
  const typename Type::Element* first;  // of pixel (0, 0), channel 0
  std::int64_t height;
  std::int64_t width;
  std::int64_t pixel_step;

  float at(std::int64_t y, std::int64_t x, std::int64_t channel) const {
    if (x < 0 || y < 0 || x >= width || y >= height) return 0.0F;
    return Type::load(first[(y * width + x) * pixel_step + channel]);
  }
  float sample(float y, float x, std::int64_t channel) const {
    const float top = std::floor(y);
    const float left = std::floor(x);
    const auto y0 = static_cast<std::int64_t>(top);
    const auto x0 = static_cast<std::int64_t>(left);
    const float down = y - top;
    const float right = x - left;
    return at(y0, x0, channel) * (1.0F - down) * (1.0F - right) +
           at(y0, x0 + 1, channel) * (1.0F - down) * right +
           at(y0 + 1, x0, channel) * down * (1.0F - right) +
           at(y0 + 1, x0 + 1, channel) * down * right;
  }
};

template <typename Type>
void attend(const Arguments& arguments) {
  using Element = typename Type::Element;
  const Shape& value = arguments.shape(0);
  const Shape& weight = arguments.shape(3);
  const std::int64_t heads = value[2];
  const std::int64_t channels = value[3];
  const auto shapes = arguments.input<std::int32_t>(1);
  const Element* location = arguments.input<Element>(2).data();
  const Element* weights = arguments.input<Element>(3).data();
  Element* y = arguments.output<Element>(0).data();
  for (std::int64_t i = 0; i < weight[0] * weight[1] * heads; ++i) {
    const std::int64_t batch = i / (weight[1] * heads);
    const std::int64_t head = i % heads;
    for (std::int64_t c = 0; c < channels; ++c) {
      float sum = 0.0F;
      std::int64_t start = batch * value[1];
      for (std::int64_t level = 0; level < weight[3]; ++level) {
        const std::int64_t height = shapes[static_cast<std::size_t>(2 * level)];
        const std::int64_t width = shapes[static_cast<std::size_t>(2 * level + 1)];
        const Map<Type> map{arguments.input<Element>(0).data() + (start * heads + head) * channels,
                            height, width, heads * channels};
        for (std::int64_t point = 0; point < weight[4]; ++point) {
          const std::int64_t at = (i * weight[3] + level) * weight[4] + point;
          const float px = Type::load(location[2 * at]) * static_cast<float>(width) - 0.5F;
          const float py = Type::load(location[2 * at + 1]) * static_cast<float>(height) - 0.5F;
          const bool near = px > -1.0F && py > -1.0F && px < static_cast<float>(width) &&
                            py < static_cast<float>(height);
          if (near) sum += Type::load(weights[at]) * map.sample(py, px, c);
        }
        start += height * width;
      }
      y[i * channels + c] = Type::store(sum);
    }
  }
}

}  // namespace

void MultiScaleDeformableAttention::infer(std::span<const Shape> inputs,
                                          std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string(kWhere) + ", " + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  const Shape& value = inputs[0];
  const Shape& shapes = inputs[1];
  const Shape& weights = inputs[3];
  if (value.rank() != 4) fail("value", "[batch, positions, heads, channels]", value);
  if (shapes.rank() != 2 || shapes[1] != 2) fail("shapes", "[levels, 2]", shapes);
  if (weights.rank() != 5 || weights[0] != value[0] || weights[2] != value[2] ||
      weights[3] != shapes[0]) {
    fail("weights", "[batch, queries, heads, levels, points] of the value's batch and heads",
         weights);
  }
  const Shape expected{weights[0], weights[1], weights[2], weights[3], weights[4], 2};
  if (!(inputs[2] == expected)) fail("locations", expected.text(), inputs[2]);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (value[1] > kMost || value.elements() > kMost) {
    fail("value", "at most 2147483647 positions and elements", value);
  }
  outputs[0] = Shape{weights[0], weights[1], value[2] * value[3]};
}

void check_levels(const Arguments& arguments) {
  const auto shapes = arguments.input<std::int32_t>(1);
  std::int64_t positions = 0;
  for (std::size_t i = 0; i < shapes.size(); i += 2) {
    // Neither factor may be so large that a sum of products overflows.
    constexpr std::int32_t kMostSide = 1 << 20;
    if (shapes[i] < 1 || shapes[i + 1] < 1 || shapes[i] > kMostSide || shapes[i + 1] > kMostSide) {
      throw SampleError({.where = std::string(kWhere) + ", shapes[" + std::to_string(i / 2) + "]",
                         .expected = "a height and a width from 1 to " + std::to_string(kMostSide),
                         .got = std::to_string(shapes[i]) + " and " + std::to_string(shapes[i + 1]),
                         .action = ""});
    }
    positions += std::int64_t{shapes[i]} * shapes[i + 1];
  }
  if (positions == arguments.shape(0)[1]) return;
  throw SampleError({.where = std::string(kWhere) + ", shapes",
                     .expected = "levels of " + std::to_string(arguments.shape(0)[1]) +
                                 " positions together, as value has",
                     .got = std::to_string(positions),
                     .action = ""});
}

void MultiScaleDeformableAttention::run_scalar(const Arguments& arguments) const {
  check_levels(arguments);
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    attend<detail::Float32>(arguments);
  } else {
    attend<detail::Float16>(arguments);
  }
}

}  // namespace plait::ops
