// skeleton/scalar.cpp: attributes and shapes checked first, then the plain loop.
#include <cmath>

#include "base/element.hpp"
#include "ops/skeleton/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

template <typename Type>
void scale(const Arguments& arguments, float gain) {
  using Element = typename Type::Element;
  const auto x = arguments.input<Element>(0);
  const auto offset = arguments.input<Element>(1);
  const auto y = arguments.output<Element>(0);
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = Type::store(Type::load(x[i]) * gain + Type::load(offset[i % offset.size()]));
  }
}

}  // namespace

Skeleton::Skeleton(const Attributes& attributes) : gain(attributes.number("gain")) {
  if (std::isfinite(gain)) return;
  throw ConfigError({.where = "operator Skeleton, gain",
                     .expected = "a finite number",
                     .got = std::to_string(gain),
                     .action = ""});
}

void Skeleton::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string("operator Skeleton, ") + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  if (inputs[0].rank() != 2) fail("x", "[rows, channels]", inputs[0]);
  const Shape row{inputs[0][1]};
  if (!(inputs[1] == row)) fail("offset", row.text() + ", one a channel", inputs[1]);
  outputs[0] = inputs[0];
}

std::size_t Skeleton::scratch_bytes(std::span<const ConstTensorView>, int) const { return 0; }

void Skeleton::run_scalar(const Arguments& arguments) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    scale<detail::Float32>(arguments, gain);
  } else {
    scale<detail::Float16>(arguments, gain);
  }
}

}  // namespace plait::ops
