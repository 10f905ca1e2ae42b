// pillar_scatter/scalar.cpp: shapes, checks, and the plain loop that says what is computed.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/element.hpp"
#include "ops/pillar_scatter/op.hpp"
#include "ops/pillar_scatter/scratch.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator PillarScatter";

template <typename Type>
void scatter(const Arguments& arguments, PillarScatter::Kind kind) {
  using Element = typename Type::Element;
  using Kind = PillarScatter::Kind;
  const auto values = arguments.input<Element>(0);
  const auto cells = arguments.input<std::int32_t>(1);
  const auto channels = static_cast<std::size_t>(arguments.shape(0)[1]);
  const Shape& canvas = arguments.outputs[0].shape;
  const auto plane = static_cast<std::size_t>(canvas[1] * canvas[2]);
  const std::span<CellSum> sums(reinterpret_cast<CellSum*>(arguments.scratch.data()), plane);
  for (std::size_t c = 0; c < channels; ++c) {
    std::fill(sums.begin(), sums.end(), CellSum{0.0F, 0});
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i] < 0) continue;
      const float value = Type::load(values[i * channels + c]);
      CellSum& sum = sums[static_cast<std::size_t>(cells[i])];
      if (kind != Kind::kMax) {
        sum.value += value;
      } else if (sum.points == 0 || value > sum.value || std::isnan(value)) {
        sum.value = std::isnan(sum.value) ? sum.value : value;
      }
      ++sum.points;
    }
    Element* out = arguments.output<Element>(0).data() + c * plane;
    for (std::size_t cell = 0; cell < plane; ++cell) {
      const bool divide = kind == Kind::kMean && sums[cell].points > 0;
      const float divisor = divide ? static_cast<float>(sums[cell].points) : 1.0F;
      out[cell] = Type::store(sums[cell].value / divisor);
    }
  }
}

}  // namespace

PillarScatter::PillarScatter(const Attributes& attributes)
    : rows(attributes.whole("rows")), columns(attributes.whole("columns")) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::string& word = attributes.word("reduce");
  if (word == "mean") {
    kind = Kind::kMean;
  } else if (word == "sum") {
    kind = Kind::kSum;
  } else if (word != "max") {
    throw ConfigError({.where = std::string(kWhere) + ", reduce",
                       .expected = "'max', 'mean' or 'sum'",
                       .got = "'" + word + "'",
                       .action = ""});
  }
  if (rows > 0 && columns > 0 && rows <= kMost / columns) return;
  throw ConfigError({.where = std::string(kWhere) + ", rows and columns",
                     .expected = "each at least 1, and at most 2^31 - 1 cells",
                     .got = std::to_string(rows) + " and " + std::to_string(columns),
                     .action = ""});
}

void PillarScatter::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string(kWhere) + ", " + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  const Shape& values = inputs[0];
  if (values.rank() != 2) fail("values", "[points, channels]", values);
  if (values[0] > std::numeric_limits<std::int32_t>::max()) {
    fail("values", "at most 2^31 - 1 points", values);
  }
  const Shape points{values[0]};
  if (!(inputs[1] == points)) fail("cells", points.text() + ", one a point", inputs[1]);
  outputs[0] = Shape{values[1], rows, columns};
}

void check_cells(std::span<const std::int32_t> cells, std::int64_t count) {
  // Without a branch a cell, so that the compiler makes vectors of it.
  std::int32_t largest = -1;
  for (const std::int32_t cell : cells) largest = std::max(largest, cell);
  if (largest < count) return;
  const auto found = std::find(cells.begin(), cells.end(), largest);
  throw SampleError(
      {.where = std::string(kWhere) + ", cells[" + std::to_string(found - cells.begin()) + "]",
       .expected = "below " + std::to_string(count) + ", the cells of the canvas",
       .got = std::to_string(largest),
       .action = "Give points outside of the canvas the cell -1."});
}

void PillarScatter::run_scalar(const Arguments& arguments) const {
  check_cells(arguments.input<std::int32_t>(1), rows * columns);
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    scatter<detail::Float32>(arguments, kind);
  } else {
    scatter<detail::Float16>(arguments, kind);
  }
}

}  // namespace plait::ops
