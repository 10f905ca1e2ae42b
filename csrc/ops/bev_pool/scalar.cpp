// bev_pool/scalar.cpp: shapes, checks, and the plain loop that says what the operator computes.
#include <algorithm>
#include <limits>

#include "base/element.hpp"
#include "ops/bev_pool/op.hpp"
#include "ops/segment_reduce/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator BevPool";

template <typename Type>
void pool(const Arguments& arguments) {
  using Element = typename Type::Element;
  const Element* depth = arguments.input<Element>(0).data();
  const Element* context = arguments.input<Element>(1).data();
  const auto depths = arguments.input<std::int32_t>(2);
  const auto pixels = arguments.input<std::int32_t>(3);
  const auto offsets = arguments.input<std::int32_t>(4);
  const auto y = arguments.output<Element>(0);
  const Shape& shape = arguments.shape(1);
  const std::int64_t plane = shape[2] * shape[3];
  const std::size_t cells = offsets.size() - 1;
  for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
    for (std::size_t cell = 0; cell < cells; ++cell) {
      float sum = 0.0F;
      for (auto i = static_cast<std::size_t>(offsets[cell]);
           i < static_cast<std::size_t>(offsets[cell + 1]); ++i) {
        const std::int64_t camera = pixels[i] / plane;
        const std::int64_t pixel = pixels[i] % plane;
        sum += Type::load(depth[depths[i]]) *
               Type::load(context[(camera * shape[1] + channel) * plane + pixel]);
      }
      y[static_cast<std::size_t>(channel) * cells + cell] = Type::store(sum);
    }
  }
}

void check_indices(std::span<const std::int32_t> indices, std::int64_t count, const char* what) {
  // Without a branch an index, so that the compiler makes vectors of it; negative ones turn large.
  std::uint32_t largest = 0;
  for (const std::int32_t index : indices) {
    largest = std::max(largest, static_cast<std::uint32_t>(index));
  }
  if (indices.empty() || static_cast<std::int64_t>(largest) < count) return;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= 0 && indices[i] < count) continue;
    throw SampleError({.where = std::string(kWhere) + ", " + what + "[" + std::to_string(i) + "]",
                       .expected = "an index from 0 to " + std::to_string(count - 1),
                       .got = std::to_string(indices[i]),
                       .action = "Make the points of this calibration with bev_points."});
  }
}

}  // namespace

BevPool::BevPool(const Attributes& attributes) : rows(attributes.whole("rows")) {
  if (rows > 0 && rows <= std::numeric_limits<std::int32_t>::max()) return;
  throw ConfigError({.where = std::string(kWhere) + ", rows",
                     .expected = "from 1 to 2^31 - 1",
                     .got = std::to_string(rows),
                     .action = ""});
}

void BevPool::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const auto fail = [](const char* tensor, const std::string& expected, const Shape& got) {
    throw SampleError({.where = std::string(kWhere) + ", " + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  const Shape& depth = inputs[0];
  const Shape& context = inputs[1];
  if (depth.rank() != 4) fail("depth", "[cameras, bins, height, width]", depth);
  if (context.rank() != 4 || context[0] != depth[0] || context[2] != depth[2] ||
      context[3] != depth[3]) {
    fail("context", "[cameras, channels, height, width] of the depth's size " + depth.text(),
         context);
  }
  if (inputs[2].rank() != 1) fail("depths", "[points]", inputs[2]);
  if (!(inputs[3] == inputs[2])) fail("pixels", inputs[2].text() + ", as depths", inputs[3]);
  if (inputs[4].rank() != 1 || inputs[4][0] < 1 || (inputs[4][0] - 1) % rows != 0) {
    fail("offsets", "[cells + 1], cells a multiple of " + std::to_string(rows) + " rows",
         inputs[4]);
  }
  outputs[0] = Shape{context[1], rows, (inputs[4][0] - 1) / rows};
}

void check_points(const Arguments& arguments) {
  const Shape& context = arguments.shape(1);
  check_indices(arguments.input<std::int32_t>(2), arguments.shape(0).elements(), "depths");
  check_indices(arguments.input<std::int32_t>(3), context[0] * context[2] * context[3], "pixels");
  check_offsets(arguments.input<std::int32_t>(4), arguments.shape(2)[0], kWhere);
}

void BevPool::run_scalar(const Arguments& arguments) const {
  check_points(arguments);
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    pool<detail::Float32>(arguments);
  } else {
    pool<detail::Float16>(arguments);
  }
}

}  // namespace plait::ops
