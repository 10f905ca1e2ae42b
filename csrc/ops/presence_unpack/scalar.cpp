// presence_unpack/scalar.cpp: shapes, checks, and the plain loop that says what is computed.
#include "base/element.hpp"
#include "ops/presence_unpack/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator PresenceUnpack";

/// Nothing is computed, so that the element type matters by its size only.
template <typename Element>
void unpack(const Arguments& arguments) {
  const auto packed = arguments.input<Element>(0);
  const auto positions = arguments.input<std::int32_t>(1);
  const auto absent = arguments.input<Element>(2);
  const auto y = arguments.output<Element>(0);
  const auto slots = static_cast<std::size_t>(arguments.shape(0)[1]);
  const auto channels = static_cast<std::size_t>(arguments.shape(0)[2]);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = absent[i % absent.size()];
  for (std::size_t p = 0; p < positions.size(); ++p) {
    if (positions[p] < 0) continue;
    const std::size_t row = p / slots;
    const std::size_t to = row * absent.size() + static_cast<std::size_t>(positions[p]) * channels;
    for (std::size_t c = 0; c < channels; ++c) y[to + c] = packed[p * channels + c];
  }
}

}  // namespace

void PresenceUnpack::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string(kWhere) + ", " + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  const Shape& packed = inputs[0];
  const Shape& absent = inputs[2];
  if (packed.rank() != 3) fail("packed", "[batch, packed, channels]", packed);
  const Shape slots{packed[0], packed[1]};
  if (!(inputs[1] == slots)) fail("positions", slots.text() + ", as packed", inputs[1]);
  if (absent.rank() != 2 || absent[1] != packed[2]) {
    fail("absent", "[tokens, " + std::to_string(packed[2]) + "], as packed has channels", absent);
  }
  outputs[0] = Shape{packed[0], absent[0], packed[2]};
}

void check_positions(const Arguments& arguments) {
  const auto positions = arguments.input<std::int32_t>(1);
  const auto slots = static_cast<std::size_t>(arguments.shape(1)[1]);
  const std::int64_t tokens = arguments.shape(2)[0];
  for (std::size_t p = 0; p < positions.size(); ++p) {
    const bool first = p % slots == 0;
    const bool rises = first || (positions[p - 1] >= 0 && positions[p] > positions[p - 1]);
    if (positions[p] == -1 || (positions[p] >= 0 && positions[p] < tokens && rises)) continue;
    throw SampleError({.where = std::string(kWhere) + ", positions[" + std::to_string(p / slots) +
                                "][" + std::to_string(p % slots) + "]",
                       .expected = "-1, or above the position before it and below " +
                                   std::to_string(tokens) + " tokens",
                       .got = std::to_string(positions[p]) +
                              (first ? "" : " behind " + std::to_string(positions[p - 1])),
                       .action = "Take the positions that PresencePack gives."});
  }
}

std::size_t PresenceUnpack::scratch_bytes(std::span<const ConstTensorView>, int) const { return 0; }

void PresenceUnpack::run_scalar(const Arguments& arguments) const {
  check_positions(arguments);
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    unpack<float>(arguments);
  } else {
    unpack<std::uint16_t>(arguments);
  }
}

}  // namespace plait::ops
