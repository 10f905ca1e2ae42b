// ops/voxel_reduce/op.hpp: raw LiDAR points moved, filtered by range and reduced voxel by voxel.
#pragma once

#include <array>

#include "ops/op.hpp"

namespace plait::ops {

/// A box of space, cut into cells of one size. A cell's number is (z * cells_y + y) * cells_x + x.
struct VoxelGrid {
  std::array<float, 3> lower{};  ///< x, y, z of the corner where cells begin, metres
  std::array<float, 3> size{};   ///< of a cell, metres
  std::array<std::int32_t, 3> cells{};

  /// At most 2^31 - 1.
  std::int32_t total() const noexcept { return cells[0] * cells[1] * cells[2]; }
};

/// features[v] = mean or max of the points in voxel v: moved x, y, z, then the other channels
///
/// A point is moved by transform, x' = ((m0 * x + m1 * y) + m2 * z) + m3 a row, and falls into the
/// cell floor((x' - lower) / size) of each axis; all of this in float32, in this order, so that
/// every implementation puts every point into the same cell. Points outside of the box, or with a
/// place that is not finite, are left out. Voxels are numbered by their first points. Where there
/// are more of them than the capacity, those that come last are left out with their points; count
/// says how many there were. Sums are float32 in the points' order, whatever the thread count; a
/// NaN in a further channel makes its voxel's value NaN.
/// Source: Zhou et al., End-to-End Multi-View Fusion (2019), dynamic voxelisation.
struct PLAIT_API VoxelReduce {
  static constexpr Schema kSchema =
      schema("VoxelReduce", "Mean or maximum of the points in each voxel, of moved raw points")
          .input("points", kFloats, "[points, channels], x, y, z in metres first")
          .input("transform", kFloat32Only, "[3, 4], from the sensor's axes to the grid's")
          .output("features", kFloats, "[capacity, channels], unused rows 0")
          .output("cells", kIndices, "[capacity], (z * rows + y) * columns + x; unused -1")
          .output("count", kIndices, "[1], voxels found, left-out ones too")
          .output("voxels", kIndices, "[points], the row each point went into; left out -1")
          .required("lower", AttributeKind::kFloats, "x, y, z where the grid begins, metres")
          .required("upper", AttributeKind::kFloats, "x, y, z where it ends, metres")
          .required("size", AttributeKind::kFloats, "of a cell along x, y, z, metres")
          .required("capacity", AttributeKind::kInt, "most voxels that are kept")
          .attribute("reduce", std::string_view("mean"), "\"mean\" or \"max\"");

  explicit VoxelReduce(const Attributes& attributes);

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  /// Two lists of points with their cells, and the points' ranks.
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  std::size_t cuda_scratch_bytes(std::span<const ConstTensorView> inputs) const;
  void run_cuda(const Arguments& arguments, CudaStream stream) const;

  enum class Kind : std::uint8_t { kMean, kMax };
  VoxelGrid grid;
  std::int64_t capacity;
  Kind kind = Kind::kMean;
};

}  // namespace plait::ops
