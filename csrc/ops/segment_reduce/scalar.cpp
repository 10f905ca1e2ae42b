// segment_reduce/scalar.cpp: shapes, checks, and the plain loop that says what is computed.
#include <cmath>

#include "base/element.hpp"
#include "ops/segment_reduce/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

template <typename Type>
void reduce(const Arguments& arguments, SegmentReduce::Kind kind) {
  using Element = typename Type::Element;
  const auto values = arguments.input<Element>(0);
  const auto offsets = arguments.input<std::int32_t>(1);
  const auto y = arguments.output<Element>(0);
  const auto channels = static_cast<std::size_t>(arguments.shape(0)[1]);
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    const auto begin = static_cast<std::size_t>(offsets[s]);
    const auto end = static_cast<std::size_t>(offsets[s + 1]);
    for (std::size_t c = 0; c < channels; ++c) {
      float result = 0.0F;
      for (std::size_t row = begin; row < end; ++row) {
        const float value = Type::load(values[row * channels + c]);
        if (kind != SegmentReduce::Kind::kMax) {
          result += value;
        } else if (row == begin || value > result || std::isnan(value)) {
          result = std::isnan(result) && row != begin ? result : value;
        }
      }
      if (kind == SegmentReduce::Kind::kMean && end > begin) {
        result /= static_cast<float>(end - begin);
      }
      y[s * channels + c] = Type::store(result);
    }
  }
}

}  // namespace

SegmentReduce::SegmentReduce(const Attributes& attributes) {
  const std::string& word = attributes.word("reduce");
  if (word == "sum") {
    kind = Kind::kSum;
  } else if (word == "mean") {
    kind = Kind::kMean;
  } else if (word == "max") {
    kind = Kind::kMax;
  } else {
    throw ConfigError({.where = "operator SegmentReduce, reduce",
                       .expected = "'sum', 'mean' or 'max'",
                       .got = "'" + word + "'",
                       .action = ""});
  }
}

void SegmentReduce::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const char* expected, const Shape& got) {
    throw SampleError({.where = std::string("operator SegmentReduce, ") + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  if (inputs[0].rank() != 2) fail("values", "[rows, channels]", inputs[0]);
  if (inputs[1].rank() != 1 || inputs[1][0] < 1) fail("offsets", "[segments + 1]", inputs[1]);
  outputs[0] = Shape{inputs[1][0] - 1, inputs[0][1]};
}

std::size_t SegmentReduce::scratch_bytes(std::span<const ConstTensorView>, int) const { return 0; }

void SegmentReduce::run_scalar(const Arguments& arguments) const {
  check_offsets(arguments.input<std::int32_t>(1), arguments.shape(0)[0], "operator SegmentReduce");
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    reduce<detail::Float32>(arguments, kind);
  } else {
    reduce<detail::Float16>(arguments, kind);
  }
}

void check_offsets(std::span<const std::int32_t> offsets, std::int64_t rows, const char* where) {
  const auto fail = [&](std::size_t index, const std::string& expected) {
    throw SampleError(
        {.where = std::string(where) + ", offsets[" + std::to_string(index) + "]",
         .expected = expected,
         .got = std::to_string(offsets[index]),
         .action = "Sort the rows by segment; offsets are the running totals of their numbers."});
  };
  if (offsets.front() != 0) fail(0, "0");
  if (offsets.back() != rows) fail(offsets.size() - 1, std::to_string(rows) + ", the rows");
  // Without a branch a segment, so that the compiler makes vectors of it.
  bool falls = false;
  for (std::size_t i = 1; i < offsets.size(); ++i) falls |= offsets[i] < offsets[i - 1];
  if (!falls) return;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] < offsets[i - 1]) fail(i, "at least " + std::to_string(offsets[i - 1]));
  }
}

}  // namespace plait::ops
