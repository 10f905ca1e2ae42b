// ops/multi_scale_deformable_attention/op.hpp: each query's weighed samples of feature maps.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// y[b][q][h] = sum over levels l and points p of
///              weights[b][q][h][l][p] * bilinear(value of level l, head h,
///              locations[b][q][h][l][p])
///
/// A location is (x, y) with (0, 0) the upper left corner of the level's map and (1, 1) its lower
/// right one, as torch's grid_sample with align_corners=False after 2 * location - 1; pixels beyond
/// a border are 0. A location that is not finite contributes nothing; weights are finite.
/// Of float16, sums are float32. On CUDA, levels beyond the positions of value contribute nothing.
/// Source: Zhu et al., Deformable DETR (2021).
struct PLAIT_API MultiScaleDeformableAttention {
  static constexpr Schema kSchema =
      schema("MultiScaleDeformableAttention",
             "Weighed bilinear samples of several feature maps, for each query and head")
          .input("value", kFloats, "[batch, positions, heads, channels], level after level")
          .input("shapes", kIndices, "[levels, 2], height and width of each level")
          .input("locations", kFloats, "[batch, queries, heads, levels, points, 2], x and y")
          .input("weights", kFloats, "[batch, queries, heads, levels, points]")
          .output("y", kFloats, "[batch, queries, heads * channels]");

  explicit MultiScaleDeformableAttention(const Attributes&) {}

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  void run_cuda(const Arguments& arguments, CudaStream stream) const;
};

/// Throws SampleError unless the levels' sizes are positive and add up to the positions of value.
void check_levels(const Arguments& arguments);

}  // namespace plait::ops
