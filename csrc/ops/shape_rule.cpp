// shape_rule.cpp: reads "[channels, rows, cells / rows], of the plane" into formulas.
#include "ops/shape_rule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "plait/error.hpp"

namespace plait::ops {
namespace {

using Term = ShapeRule::Term;
using Source = ShapeRule::Source;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(at), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::optional<std::int64_t> number(std::string_view word) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

class Reader {
 public:
  Reader(const Schema& schema, const Attributes& attributes)
      : schema_(schema), attributes_(attributes) {}

  /// Dimensions as they are written, without what the text says behind them.
  std::vector<std::string_view> dimensions(const TensorSpec& spec) const {
    const std::size_t end = spec.shape.find(']');
    if (!spec.shape.starts_with('[') || end == std::string_view::npos) fail(spec, spec.shape);
    return split(spec.shape.substr(1, end - 1), ',');
  }

  /// Keeps what the names in an input's shape stand for: "cells + 1" makes cells one less.
  std::size_t name_dimensions(std::size_t input) {
    const TensorSpec& spec = schema_.inputs()[input];
    const auto written = dimensions(spec);
    for (std::size_t axis = 0; axis < written.size(); ++axis) {
      const auto words = split(written[axis], ' ');
      const auto more = words.size() == 3 && words[1] == "+" ? number(words[2]) : std::nullopt;
      if (words.size() != 1 && !more) fail(spec, written[axis]);
      if (number(words[0])) continue;
      names_.try_emplace(words[0], Term{Source::kInput, -more.value_or(0), input, axis});
    }
    return written.size();
  }

  ShapeRule::Dimension read(const TensorSpec& spec, std::string_view written) const {
    const auto words = split(written, ' ');
    if (words.size() % 2 == 0) fail(spec, written);
    ShapeRule::Dimension dimension{term(spec, words[0]), {}};
    for (std::size_t i = 1; i < words.size(); i += 2) {
      const bool known = words[i].size() == 1 &&
                         std::string_view("+-*/").find(words[i][0]) != std::string_view::npos;
      if (!known) fail(spec, words[i]);
      dimension.steps.push_back({words[i][0], term(spec, words[i + 1])});
    }
    return dimension;
  }

  Term term(const TensorSpec& spec, std::string_view word) const {
    if (const auto value = number(word)) return {Source::kConstant, *value, 0, 0};
    if (schema_.shapes_from_values && word == schema_.size_from_values) {
      return {Source::kValues, 0, 0, 0};
    }
    if (const auto found = names_.find(word); found != names_.end()) return found->second;
    for (const AttributeSpec& attribute : schema_.attributes()) {
      if (attribute.name == word && attribute.kind == AttributeKind::kInt) {
        return {Source::kConstant, attributes_.whole(word), 0, 0};
      }
    }
    fail(spec, word);
  }

 private:
  [[noreturn]] void fail(const TensorSpec& spec, std::string_view got) const {
    throw ConfigError(
        {.where = "operator " + std::string(schema_.name) + ", shape of " + std::string(spec.name),
         .expected = "a formula of numbers, whole-number attributes and dimensions "
                     "that inputs name",
         .got = "'" + std::string(got) + "'",
         .action = "Write it as docs/add-an-op.md says."});
  }

  const Schema& schema_;
  const Attributes& attributes_;
  std::map<std::string_view, Term> names_;
};

std::int64_t value_of(const Term& term, std::span<const ConstTensorView> inputs,
                      const Term& most) noexcept {
  switch (term.source) {
    case Source::kConstant:
      return term.value;
    case Source::kInput:
      return inputs[term.input].shape[term.axis] + term.value;
    case Source::kValues:
      break;
  }
  return inputs[most.input].shape[most.axis] + most.value;
}

std::int64_t apply(char operation, std::int64_t a, std::int64_t b) noexcept {
  switch (operation) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    default:
      return b == 0 ? 0 : a / b;
  }
}

}  // namespace

ShapeRule::ShapeRule(const Schema& schema, const Attributes& attributes) {
  Reader reader(schema, attributes);
  for (std::size_t i = 0; i < schema.inputs().size(); ++i) {
    input_ranks_.push_back(reader.name_dimensions(i));
  }
  if (schema.shapes_from_values) most_ = reader.term(schema.inputs()[0], schema.most_from_values);
  for (const TensorSpec& spec : schema.outputs()) {
    Dimensions& dimensions = outputs_.emplace_back();
    for (const std::string_view written : reader.dimensions(spec)) {
      dimensions.push_back(reader.read(spec, written));
    }
  }
}

void ShapeRule::largest(std::span<const ConstTensorView> inputs, std::span<Shape> outputs) const {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    std::array<std::int64_t, kMaxRank> dims{};
    for (std::size_t axis = 0; axis < outputs_[i].size(); ++axis) {
      const Dimension& dimension = outputs_[i][axis];
      dims[axis] = value_of(dimension.first, inputs, most_);
      for (const Step& step : dimension.steps) {
        dims[axis] = apply(step.operation, dims[axis], value_of(step.term, inputs, most_));
      }
    }
    outputs[i] = Shape(std::span<const std::int64_t>(dims.data(), outputs_[i].size()));
  }
}

}  // namespace plait::ops
