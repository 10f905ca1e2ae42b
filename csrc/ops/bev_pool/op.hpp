// ops/bev_pool/op.hpp: camera features lifted by their depth and summed in a bird's-eye view.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// y[channel][cell] = sum over the cell's points of depth[depths[point]] * context[pixels[point]]
///
/// The points of a cell are those from offsets[cell] to offsets[cell + 1]; depths index depth as
/// one piece, pixels count [camera][row][column]. Both depend on the calibration only: they are
/// made once, by plait_export.ops.bev_points, and are best sorted by pixel within a cell. The
/// product of depth and context is never stored. Of float16, sums are float32; the order is the
/// points', whatever the thread count. On CUDA, points whose indices lie outside are left out.
/// Source: Philion and Fidler, Lift, Splat, Shoot (2020); Huang et al., BEVPoolv2 (2022).
struct PLAIT_API BevPool {
  static constexpr Schema kSchema =
      schema("BevPool", "Camera features weighed by depth and summed in the cells of a plane")
          .input("depth", kFloats, "[cameras, bins, height, width]")
          .input("context", kFloats, "[cameras, channels, height, width]")
          .input("depths", kIndices, "[points], indices into depth")
          .input("pixels", kIndices, "[points], indices into cameras x height x width")
          .input("offsets", kIndices, "[cells + 1], rising from 0 to points")
          .output("y", kFloats, "[channels, rows, cells / rows]")
          .required("rows", AttributeKind::kInt, "rows of the bird's-eye view");

  explicit BevPool(const Attributes& attributes);

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  /// context with channels last, and for each share of the work a tile of the output.
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  void run_cuda(const Arguments& arguments, CudaStream stream) const;
  /// context with channels last.
  std::size_t cuda_scratch_bytes(std::span<const ConstTensorView> inputs) const;

  std::int64_t rows;
};

/// Throws SampleError unless all indices lie in what they point into and offsets rise.
void check_points(const Arguments& arguments);

}  // namespace plait::ops
