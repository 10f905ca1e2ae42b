// ops/shape_rule.hpp: an operator's shape rule as formulas, read from the words of its schema.
//
// Builders of engines ask for an output's shape before they know the inputs': they want
// "rows * 2", not 14. The schema says just that: dimensions that inputs name ("[points]",
// "[cells + 1]"), whole-number attributes, and outputs made of both ("[channels, rows,
// cells / rows]"). So no operator describes its shapes twice; a test holds the words to infer().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/op.hpp"

namespace plait::ops {

/// Immutable; every method is thread-safe.
class PLAIT_API ShapeRule {
 public:
  enum class Source : std::uint8_t {
    kConstant,  ///< value
    kInput,     ///< dimension axis of an input, plus value
    kValues     ///< what the inputs' values say; at most most()
  };
  struct Term {
    Source source = Source::kConstant;
    std::int64_t value = 0;
    std::size_t input = 0;
    std::size_t axis = 0;
  };
  struct Step {
    char operation;  ///< '+', '-', '*' or '/', which rounds down
    Term term;
  };
  /// first, then the steps from left to right.
  struct Dimension {
    Term first;
    std::vector<Step> steps;
  };
  using Dimensions = std::vector<Dimension>;

  /// Throws ConfigError for words that are no formula of names that inputs or attributes have.
  ShapeRule(const Schema& schema, const Attributes& attributes);

  /// Dimensions of each input, as the schema says.
  std::span<const std::size_t> input_ranks() const noexcept { return input_ranks_; }
  std::span<const Dimensions> outputs() const noexcept { return outputs_; }
  /// Of the one dimension that depends on values, where there is one.
  const Term& most() const noexcept { return most_; }

  /// Shapes of the outputs for such inputs; what depends on values has its largest size.
  /// Allocates nothing. The inputs' ranks are input_ranks().
  void largest(std::span<const ConstTensorView> inputs, std::span<Shape> outputs) const;

 private:
  std::vector<std::size_t> input_ranks_;
  std::vector<Dimensions> outputs_;
  Term most_;
};

}  // namespace plait::ops
