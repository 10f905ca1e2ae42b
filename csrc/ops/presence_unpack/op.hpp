// ops/presence_unpack/op.hpp: packed tokens back in their places, a stand-in in all others.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// y[b][t] = packed[b][p] where positions[b][p] = t, and absent[t] where no position is t
///
/// Takes what PresencePack gives: positions rise within a row, those of padding (-1) come last.
struct PLAIT_API PresenceUnpack {
  static constexpr Schema kSchema =
      schema("PresenceUnpack", "Packed tokens in their places, and a stand-in for those left out")
          .input("packed", kFloats, "[batch, packed, channels]")
          .input("positions", kIndices, "[batch, packed], rising; -1 for padding, which comes last")
          .input("absent", kFloats, "[tokens, channels], for tokens that no position names")
          .output("y", kFloats, "[batch, tokens, channels]");

  explicit PresenceUnpack(const Attributes&) {}

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  /// Of positions that do not rise, some are left out; those outside of the tokens are.
  void run_cuda(const Arguments& arguments, CudaStream stream) const;
};

/// Throws SampleError unless positions lie in the tokens, rise in every row, and end in padding.
void check_positions(const Arguments& arguments);

}  // namespace plait::ops
