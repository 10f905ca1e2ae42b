// ops/segment_reduce/op.hpp: sums, means or maxima of consecutive rows, a segment each.
#pragma once

#include "ops/op.hpp"

namespace plait::ops {

/// out[s] = sum, mean or max of values[offsets[s]] ... values[offsets[s + 1] - 1]
///
/// offsets rise from 0 to the number of rows; equal ones are an empty segment, whose row is 0.
/// Sums are in float32, in the rows' order, whatever the thread count. A NaN in a segment makes its
/// row NaN.
/// On CUDA, rows of long segments are summed in eight shares, and offsets that do not rise or point
/// beyond the rows are taken for the nearest that do not.
struct PLAIT_API SegmentReduce {
  static constexpr Schema kSchema =
      schema("SegmentReduce", "Sum, mean or maximum of the rows of each segment")
          .input("values", kFloats, "[rows, channels]")
          .input("offsets", kIndices, "[segments + 1], rising from 0 to rows")
          .output("y", kFloats, "[segments, channels]")
          .attribute("reduce", std::string_view("sum"), "\"sum\", \"mean\" or \"max\"");

  explicit SegmentReduce(const Attributes& attributes);

  void infer(std::span<const Shape> inputs, std::span<Shape> outputs) const;
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const;
  void run_scalar(const Arguments& arguments) const;
  void run_simd(const Arguments& arguments, Parallel& parallel) const;
  void run_cuda(const Arguments& arguments, CudaStream stream) const;

  enum class Kind : std::uint8_t { kSum, kMean, kMax };
  Kind kind = Kind::kSum;
};

/// Throws SampleError unless offsets rise from 0 to rows. Of operators whose input it is.
void check_offsets(std::span<const std::int32_t> offsets, std::int64_t rows, const char* where);

}  // namespace plait::ops
