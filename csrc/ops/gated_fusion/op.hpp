// ops/gated_fusion/op.hpp: weighs each modality by a sigmoid gate, sums and normalises, in one
// pass.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// y[t] = LayerNorm(sum over m of sigmoid(gate[m][t]) * x[m][t]) * scale + shift
///
/// Of float16, everything between is float32. Sigmoid and variance are those of the formula, with
/// the variance over channels from differences to the mean, divided by their count.
/// Source: Arevalo et al., Gated Multimodal Units for Information Fusion (2017); Ba et al., Layer
/// Normalization (2016).
struct PLAIT_API GatedFusion {
  static constexpr Schema kSchema =
      schema("GatedFusion", "LayerNorm of the modalities' sum, each weighed by its sigmoid gate")
          .input("gate", kFloats, "[modalities, tokens, channels], before the sigmoid")
          .input("x", kFloats, "[modalities, tokens, channels]")
          .input("scale", kFloats, "[channels]")
          .input("shift", kFloats, "[channels]")
          .output("y", kFloats, "[tokens, channels]")
          .attribute("epsilon", 1e-5F, "added to the variance");

  explicit GatedFusion(const Attributes& attributes);

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  /// Of float16: one float32 row a thread.
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  void run_cuda(const Arguments& arguments, CudaStream stream) const;

  float epsilon;
};

}  // namespace plait::ops
