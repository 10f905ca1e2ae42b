// voxel_reduce/scalar.cpp: the grid, shapes, and the plain loops that say what is computed.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/element.hpp"
#include "ops/voxel_reduce/op.hpp"
#include "ops/voxel_reduce/place.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator VoxelReduce";

[[noreturn]] void fail(const char* attribute, std::string expected, std::string got) {
  throw ConfigError({.where = std::string(kWhere) + ", " + attribute,
                     .expected = std::move(expected),
                     .got = std::move(got),
                     .action = ""});
}

std::array<float, 3> three(const Attributes& attributes, const char* name) {
  const auto values = attributes.numbers(name);
  if (values.size() != 3) fail(name, "3 numbers", std::to_string(values.size()));
  std::array<float, 3> result{};
  std::copy(values.begin(), values.end(), result.begin());
  for (const float value : result) {
    if (!std::isfinite(value)) fail(name, "finite numbers", std::to_string(value));
  }
  return result;
}

/// A count of cells may be off by what float32 bounds are off, not by a part of a cell.
constexpr double kPartOfACell = 0.01;

VoxelGrid grid_of(const Attributes& attributes) {
  VoxelGrid grid;
  grid.lower = three(attributes, "lower");
  grid.size = three(attributes, "size");
  const std::array<float, 3> upper = three(attributes, "upper");
  double total = 1.0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (!(grid.size[axis] > 0.0F)) fail("size", "above 0", std::to_string(grid.size[axis]));
    const double extent = double{upper[axis]} - double{grid.lower[axis]};
    const double cells = extent / double{grid.size[axis]};
    if (!(cells > 0.5) || std::abs(cells - std::round(cells)) > kPartOfACell) {
      fail("upper", "a whole number of cells above lower", std::to_string(cells) + " cells");
    }
    total *= std::round(cells);
    if (total > std::numeric_limits<std::int32_t>::max()) {
      fail("size", "at most 2^31 - 1 cells", std::to_string(total));
    }
    grid.cells[axis] = static_cast<std::int32_t>(std::lround(cells));
  }
  return grid;
}

/// Voxels by their cells, in memory given: open addressing, at most half full.
class Table {
 public:
  struct Slot {
    std::int32_t cell;
    std::int32_t voxel;
  };
  static std::size_t slots(std::int64_t points) {
    return std::bit_ceil(static_cast<std::size_t>(points) * 2 + 1);
  }

  explicit Table(std::span<Slot> table) : slots_(table) {
    std::fill(slots_.begin(), slots_.end(), Slot{-1, -1});
  }
  /// A cell's number, the next free one where it is new.
  std::int32_t voxel_of(std::int32_t cell) {
    constexpr std::size_t kSpread = 2654435769;  // 2^32 over the golden ratio
    std::size_t i = (static_cast<std::size_t>(cell) * kSpread) & (slots_.size() - 1);
    while (slots_[i].cell != cell && slots_[i].cell >= 0) i = (i + 1) & (slots_.size() - 1);
    if (slots_[i].cell < 0) slots_[i] = {cell, found_++};
    return slots_[i].voxel;
  }
  std::int32_t found() const { return found_; }

 private:
  std::span<Slot> slots_;
  std::int32_t found_ = 0;
};

/// The voxel of every point, and the cell of every voxel.
template <typename Type>
void find_voxels(const Arguments& arguments, const VoxelGrid& grid, std::int32_t capacity) {
  using Element = typename Type::Element;
  const auto points = arguments.input<Element>(0);
  const Place place(grid, arguments.input<float>(1));
  const auto channels = static_cast<std::size_t>(arguments.shape(0)[1]);
  const auto cells = arguments.output<std::int32_t>(1);
  const auto voxels = arguments.output<std::int32_t>(3);
  Table table({reinterpret_cast<Table::Slot*>(arguments.scratch.data()),
               Table::slots(arguments.shape(0)[0])});
  std::fill(cells.begin(), cells.end(), -1);
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    const Element* point = points.data() + i * channels;
    const std::int32_t cell =
        place.cell_of(Type::load(point[0]), Type::load(point[1]), Type::load(point[2]));
    voxels[i] = cell < 0 ? -1 : table.voxel_of(cell);
    if (voxels[i] >= capacity) voxels[i] = -1;
    if (voxels[i] >= 0) cells[static_cast<std::size_t>(voxels[i])] = cell;
  }
  arguments.output<std::int32_t>(2)[0] = table.found();
}

/// A voxel's value of one channel, and of how many points.
struct Sum {
  float value;
  std::int32_t points;
};

template <typename Type>
void reduce(const Arguments& arguments, const VoxelGrid& grid, VoxelReduce::Kind kind) {
  using Element = typename Type::Element;
  const auto points = arguments.input<Element>(0);
  const Place place(grid, arguments.input<float>(1));
  const auto channels = static_cast<std::size_t>(arguments.shape(0)[1]);
  const auto features = arguments.output<Element>(0);
  const auto voxels = arguments.output<std::int32_t>(3);
  const std::span<Sum> sums(reinterpret_cast<Sum*>(arguments.scratch.data()),
                            arguments.output<std::int32_t>(1).size());
  for (std::size_t c = 0; c < channels; ++c) {
    std::fill(sums.begin(), sums.end(), Sum{0.0F, 0});
    for (std::size_t i = 0; i < voxels.size(); ++i) {
      if (voxels[i] < 0) continue;
      const Element* point = points.data() + i * channels;
      const float value =
          c < 3 ? place.moved(c, Type::load(point[0]), Type::load(point[1]), Type::load(point[2]))
                : Type::load(point[c]);
      Sum& sum = sums[static_cast<std::size_t>(voxels[i])];
      if (kind == VoxelReduce::Kind::kMean) {
        sum.value += value;
      } else if (sum.points == 0 || value > sum.value || std::isnan(value)) {
        sum.value = std::isnan(sum.value) ? sum.value : value;
      }
      ++sum.points;
    }
    for (std::size_t v = 0; v < sums.size(); ++v) {
      const bool divide = kind == VoxelReduce::Kind::kMean && sums[v].points > 0;
      const float divisor = divide ? static_cast<float>(sums[v].points) : 1.0F;
      features[v * channels + c] = Type::store(sums[v].value / divisor);
    }
  }
}

}  // namespace

VoxelReduce::VoxelReduce(const Attributes& attributes)
    : grid(grid_of(attributes)), capacity(attributes.whole("capacity")) {
  if (capacity < 1 || capacity > std::numeric_limits<std::int32_t>::max()) {
    fail("capacity", "from 1 to 2^31 - 1", std::to_string(capacity));
  }
  const std::string& word = attributes.word("reduce");
  if (word == "max") {
    kind = Kind::kMax;
  } else if (word != "mean") {
    fail("reduce", "'mean' or 'max'", "'" + word + "'");
  }
}

void VoxelReduce::infer(std::span<const Shape> inputs, std::span<Shape> outputs) const {
  const auto refuse = [](const char* tensor, const char* expected, const Shape& got) {
    throw SampleError({.where = std::string(kWhere) + ", " + tensor,
                       .expected = expected,
                       .got = got.text(),
                       .action = ""});
  };
  const Shape& points = inputs[0];
  if (points.rank() != 2 || points[1] < 3) {
    refuse("points", "[points, channels], at least 3 channels: x, y, z", points);
  }
  if (points[0] > std::numeric_limits<std::int32_t>::max()) {
    refuse("points", "at most 2^31 - 1 points", points);
  }
  if (!(inputs[1] == Shape{3, 4})) refuse("transform", "[3, 4]", inputs[1]);
  outputs[0] = Shape{capacity, points[1]};
  outputs[1] = Shape{capacity};
  outputs[2] = Shape{1};
  outputs[3] = Shape{points[0]};
}

std::size_t scalar_scratch_bytes(std::int64_t points, std::int64_t capacity) {
  return std::max(Table::slots(points) * sizeof(Table::Slot),
                  static_cast<std::size_t>(capacity) * sizeof(Sum));
}

void VoxelReduce::run_scalar(const Arguments& arguments) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    find_voxels<detail::Float32>(arguments, grid, static_cast<std::int32_t>(capacity));
    reduce<detail::Float32>(arguments, grid, kind);
  } else {
    find_voxels<detail::Float16>(arguments, grid, static_cast<std::int32_t>(capacity));
    reduce<detail::Float16>(arguments, grid, kind);
  }
}

}  // namespace plait::ops
