// ops/pillar_scatter/op.hpp: features of points or pillars, reduced onto a bird's-eye view.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// canvas[channel][cell] = max, mean or sum of values[point][channel] over the cell's points
///
/// A cell's number is row * columns + column: VoxelReduce's cells, where its grid is one layer
/// high, or cells of the single points. Points of negative cells are left out; cells without points
/// are 0. Of float16, sums are float32; the order is the points', whatever the thread count. A NaN
/// makes its value NaN. On CUDA points beyond the canvas are left out, too.
/// Source: Lang et al., PointPillars (2019).
struct PLAIT_API PillarScatter {
  static constexpr Schema kSchema =
      schema("PillarScatter", "Maximum, mean or sum of the points in each cell of a plane")
          .input("values", kFloats, "[points, channels]")
          .input("cells", kIndices, "[points], row * columns + column; negative: left out")
          .output("canvas", kFloats, "[channels, rows, columns]")
          .required("rows", AttributeKind::kInt, "of the canvas")
          .required("columns", AttributeKind::kInt, "of the canvas")
          .attribute("reduce", std::string_view("max"), "\"max\", \"mean\" or \"sum\"");

  explicit PillarScatter(const Attributes& attributes);

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  /// Two lists of points with their cells, and for each share of the work a tile of the canvas.
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  std::size_t cuda_scratch_bytes(std::span<const ConstTensorView> inputs) const;
  void run_cuda(const Arguments& arguments, CudaStream stream) const;

  enum class Kind : std::uint8_t { kMax, kMean, kSum };
  std::int64_t rows;
  std::int64_t columns;
  Kind kind = Kind::kMax;
};

/// Throws SampleError for a cell beyond the canvas.
void check_cells(std::span<const std::int32_t> cells, std::int64_t count);

}  // namespace plait::ops
