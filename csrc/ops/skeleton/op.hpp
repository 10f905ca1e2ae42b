// ops/skeleton/op.hpp: the smallest real operator, made to be copied: see docs/add-an-op.md.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// y = x * gain + offset[channel]
///
/// Of float16, the arithmetic is float32. NaN stays NaN.
struct PLAIT_API Skeleton {
  // What it is: names, element types and shapes of its tensors, its attributes and their defaults.
  static constexpr Schema kSchema = schema("Skeleton", "Each row times a gain, plus an offset")
                                        .input("x", kFloats, "[rows, channels]")
                                        .input("offset", kFloats, "[channels]")
                                        .output("y", kFloats, "[rows, channels]")
                                        .attribute("gain", 1.0F, "of every value");

  /// Throws ConfigError for values that make no sense.
  explicit Skeleton(const Attributes& attributes);

  /// The shape rule; throws SampleError.
  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  /// Working memory of run_simd: none.
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  /// The specification.
  void run_scalar(const Arguments& arguments) const;
  /// The same for every vector target, over the threads given.
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  /// On a CUDA device, on the stream: cuda.cu.
  void run_cuda(const Arguments& arguments, CudaStream stream) const;

  float gain;
};

}  // namespace plait::ops
