// gated_fusion/scalar.cpp: shapes, and the plain loop that says what the operator computes.
#include <algorithm>
#include <cmath>

#include "base/element.hpp"
#include "ops/gated_fusion/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

template <typename Type>
void fuse(const Arguments& arguments, float epsilon) {
  using Element = typename Type::Element;
  const auto gate = arguments.input<Element>(0);
  const auto x = arguments.input<Element>(1);
  const auto scale = arguments.input<Element>(2);
  const auto shift = arguments.input<Element>(3);
  const auto y = arguments.output<Element>(0);
  const Shape& shape = arguments.shape(0);
  const std::int64_t modalities = shape[0];
  const std::int64_t tokens = shape[1];
  const std::int64_t channels = shape[2];
  const auto sum_at = [&](std::int64_t t, std::int64_t c) {
    float sum = 0.0F;
    for (std::int64_t m = 0; m < modalities; ++m) {
      const auto i = static_cast<std::size_t>((m * tokens + t) * channels + c);
      sum += Type::load(x[i]) / (1.0F + std::exp(-Type::load(gate[i])));
    }
    return sum;
  };
  for (std::int64_t t = 0; t < tokens; ++t) {
    double mean = 0.0;
    for (std::int64_t c = 0; c < channels; ++c) mean += sum_at(t, c);
    mean /= static_cast<double>(channels);
    double variance = 0.0;
    for (std::int64_t c = 0; c < channels; ++c) variance += std::pow(sum_at(t, c) - mean, 2.0);
    variance /= static_cast<double>(channels);
    const double inverse = 1.0 / std::sqrt(variance + epsilon);
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto i = static_cast<std::size_t>(c);
      const auto normalized = static_cast<float>((sum_at(t, c) - mean) * inverse);
      y[static_cast<std::size_t>(t * channels + c)] =
          Type::store(normalized * Type::load(scale[i]) + Type::load(shift[i]));
    }
  }
}

}  // namespace

GatedFusion::GatedFusion(const Attributes& attributes) : epsilon(attributes.number("epsilon")) {
  if (epsilon >= 0.0F && std::isfinite(epsilon)) return;
  throw ConfigError({.where = "operator GatedFusion, epsilon",
                     .expected = "a finite number, at least 0",
                     .got = std::to_string(epsilon),
                     .action = ""});
}

void GatedFusion::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const Shape& gate = inputs[0];
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string("operator GatedFusion, ") + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  if (gate.rank() != 3) fail("gate", "[modalities, tokens, channels]", gate);
  if (!(inputs[1] == gate)) fail("x", "the gate's shape " + gate.text(), inputs[1]);
  const Shape row{gate[2]};
  if (!(inputs[2] == row)) fail("scale", row.text() + ", one a channel", inputs[2]);
  if (!(inputs[3] == row)) fail("shift", row.text() + ", one a channel", inputs[3]);
  outputs[0] = Shape{gate[1], gate[2]};
}

std::size_t GatedFusion::scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const {
  if (inputs[0].dtype == DType::kFloat32) return 0;
  return static_cast<std::size_t>(threads) * static_cast<std::size_t>(inputs[2].shape[0]) *
         sizeof(float);
}

void GatedFusion::run_scalar(const Arguments& arguments) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    fuse<detail::Float32>(arguments, epsilon);
  } else {
    fuse<detail::Float16>(arguments, epsilon);
  }
}

}  // namespace plait::ops
