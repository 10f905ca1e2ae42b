// op_cases.hpp: how to draw a call of every operator, for tests and fuzzing alike.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ops/op.hpp"

namespace plait::testing {

/// Where a call's choices come from: random numbers in a test, bytes under the fuzzer.
class Choices {
 public:
  virtual ~Choices() = default;
  virtual std::uint32_t next() = 0;

  /// From least to most, both included.
  std::int64_t whole(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(next()) % (most - least + 1);
  }
  /// A dimension: 0 and 1 often, else anything up to most.
  std::int64_t size(std::int64_t most) {
    const std::int64_t kind = whole(0, 11);
    return kind < 2 ? kind : whole(1, most);
  }
  /// From least to most.
  float real(float least, float most) {
    return least + (most - least) * static_cast<float>(next() & 0xFFFFU) / 65535.0F;
  }
  template <typename T>
  const T& one_of(std::initializer_list<T> list) {
    return *(list.begin() + whole(0, static_cast<std::int64_t>(list.size()) - 1));
  }
};

/// One call: inputs in the schema's order, and the operator with its attributes.
struct OpCall {
  ops::Attributes attributes;
  std::unique_ptr<ops::Op> op;
  std::vector<Tensor> inputs;

  std::vector<ConstTensorView> views() const;
};

/// tolerance: of max|simd - scalar| against max|scalar| and 1, by element type of 'T'.
/// poisoned: inputs in which what is not finite has to spread alike.
struct OpCase {
  std::string_view name;
  OpCall (*draw)(Choices& choices, DType floats);
  double tolerance_float32;
  double tolerance_float16;
  std::vector<std::size_t> poisoned;

  double tolerance(DType floats) const {
    return floats == DType::kFloat32 ? tolerance_float32 : tolerance_float16;
  }
};

std::span<const OpCase> op_cases();

/// A number of a float32 or float16 tensor, and the reverse.
float read(const ConstTensorView& tensor, std::int64_t at);
void write(const TensorView& tensor, std::int64_t at, float value);

}  // namespace plait::testing
