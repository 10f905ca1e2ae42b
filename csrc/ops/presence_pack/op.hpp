// ops/presence_pack/op.hpp: the tokens of what is present, one behind the other.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// Leaves out the tokens of absent modalities, so that what follows does not compute on them:
///
/// A modality is present in a batch row where presence is above 0.5 (NaN is not). packed[b] holds
/// the tokens of the modalities present in row b, in their order; positions[b] says where in tokens
/// each came from. Rows are as long as the longest one needs, 0 where nothing is present at all:
/// behind the last token of a shorter row, packed is 0, positions -1 and mask 0 (1 elsewhere).
/// PresenceUnpack puts rows back.
/// Source: padding-free batches as in ByteTransformer, Zhai et al. (2023), here by modality.
struct PLAIT_API PresencePack {
  static constexpr Schema kSchema =
      schema("PresencePack", "The tokens of present modalities, one behind the other")
          .input("tokens", kFloats, "[batch, tokens, channels], modality after modality")
          .input("presence", kFloats, "[batch, modalities], above 0.5 where present")
          .input("lengths", kIndices, "[modalities], tokens of each")
          .output("packed", kFloats, "[batch, packed, channels]")
          .output("positions", kIndices, "[batch, packed], of each token; -1 where there is none")
          .output("mask", kFloats, "[batch, packed], 1 where there is a token, 0 elsewhere")
          .with_shapes_from_values("packed", "tokens");

  explicit PresencePack(const Attributes&) {}

  /// Throws SampleError also for lengths that are negative or do not add up to the tokens.
  void infer(std::span<const ConstTensorView> inputs, std::span<Shape> outputs) const;
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  /// As many slots as packed was given; lengths below 0 count as 0, tokens past the last as
  /// padding.
  void run_cuda(const Arguments& arguments, CudaStream stream) const;
  /// As many slots as the longest row needs, which goes to *slots; outputs have room for all
  /// tokens.
  void run_cuda_sized(const Arguments& arguments, std::int32_t* slots, CudaStream stream) const;
};

/// Whether a modality is present in a batch row, of either element type.
bool is_present(const ConstTensorView& presence, std::int64_t row, std::int64_t modality);

}  // namespace plait::ops
