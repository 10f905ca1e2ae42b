// presence_pack/scalar.cpp: shapes, which depend on what is present, and the plain loop.
#include <algorithm>
#include <limits>

#include "base/element.hpp"
#include "ops/presence_pack/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator PresencePack";

void check_lengths(std::span<const std::int32_t> lengths, std::int64_t tokens) {
  std::int64_t total = 0;
  for (std::size_t m = 0; m < lengths.size(); ++m) {
    if (lengths[m] < 0) {
      throw SampleError({.where = std::string(kWhere) + ", lengths[" + std::to_string(m) + "]",
                         .expected = "at least 0",
                         .got = std::to_string(lengths[m]),
                         .action = ""});
    }
    total += lengths[m];
  }
  if (total == tokens) return;
  throw SampleError({.where = std::string(kWhere) + ", lengths",
                     .expected = std::to_string(tokens) + " tokens together",
                     .got = std::to_string(total),
                     .action = "Give the number of tokens of every modality, in their order."});
}

template <typename Type>
void pack(const Arguments& arguments) {
  using Element = typename Type::Element;
  const auto tokens = arguments.input<Element>(0);
  const auto lengths = arguments.input<std::int32_t>(2);
  const auto packed = arguments.output<Element>(0);
  const auto positions = arguments.output<std::int32_t>(1);
  const auto mask = arguments.output<Element>(2);
  const Shape& shape = arguments.shape(0);
  const auto slots = static_cast<std::size_t>(arguments.outputs[1].shape[1]);
  const auto channels = static_cast<std::size_t>(shape[2]);
  std::fill(packed.begin(), packed.end(), Type::store(0.0F));
  std::fill(positions.begin(), positions.end(), -1);
  std::fill(mask.begin(), mask.end(), Type::store(0.0F));
  for (std::int64_t row = 0; row < shape[0]; ++row) {
    std::size_t slot = static_cast<std::size_t>(row) * slots;
    std::int32_t token = 0;
    for (std::size_t m = 0; m < lengths.size(); ++m) {
      const bool present = is_present(arguments.inputs[1], row, static_cast<std::int64_t>(m));
      for (std::int32_t i = 0; i < lengths[m]; ++i, ++token) {
        if (!present) continue;
        const auto from = static_cast<std::size_t>(row * shape[1] + token) * channels;
        for (std::size_t c = 0; c < channels; ++c) packed[slot * channels + c] = tokens[from + c];
        positions[slot] = token;
        mask[slot++] = Type::store(1.0F);
      }
    }
  }
}

}  // namespace

bool is_present(const ConstTensorView& presence, std::int64_t row, std::int64_t modality) {
  const std::int64_t at = row * presence.shape[1] + modality;
  if (presence.dtype == DType::kFloat32) return static_cast<const float*>(presence.data)[at] > 0.5F;
  return detail::float_of_half(static_cast<const std::uint16_t*>(presence.data)[at]) > 0.5F;
}

void PresencePack::infer(std::span<const ConstTensorView> inputs, std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string(kWhere) + ", " + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  const Shape& tokens = inputs[0].shape;
  const Shape& presence = inputs[1].shape;
  if (tokens.rank() != 3) fail("tokens", "[batch, tokens, channels]", tokens);
  if (tokens[1] > std::numeric_limits<std::int32_t>::max()) {
    fail("tokens", "at most 2^31 - 1 tokens, which positions can name", tokens);
  }
  if (presence.rank() != 2 || presence[0] != tokens[0]) {
    fail("presence", "[batch, modalities] of the tokens' batch", presence);
  }
  const Shape expected{presence[1]};
  if (!(inputs[2].shape == expected)) {
    fail("lengths", expected.text() + ", one a modality", inputs[2].shape);
  }
  const std::span<const std::int32_t> lengths(static_cast<const std::int32_t*>(inputs[2].data),
                                              static_cast<std::size_t>(presence[1]));
  check_lengths(lengths, tokens[1]);
  std::int64_t longest = 0;
  for (std::int64_t row = 0; row < tokens[0]; ++row) {
    std::int64_t present = 0;
    for (std::int64_t m = 0; m < presence[1]; ++m) {
      if (is_present(inputs[1], row, m)) present += lengths[static_cast<std::size_t>(m)];
    }
    longest = std::max(longest, present);
  }
  outputs[0] = Shape{tokens[0], longest, tokens[2]};
  outputs[1] = Shape{tokens[0], longest};
  outputs[2] = outputs[1];
}

std::size_t PresencePack::scratch_bytes(std::span<const ConstTensorView>, int) const { return 0; }

void PresencePack::run_scalar(const Arguments& arguments) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    pack<detail::Float32>(arguments);
  } else {
    pack<detail::Float16>(arguments);
  }
}

}  // namespace plait::ops
