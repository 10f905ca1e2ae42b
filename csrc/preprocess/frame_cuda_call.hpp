// frame_cuda_call.hpp: what the host tells the CUDA kernel that prepares a frame: plain numbers.
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;  // CUDA's own name of what a cudaStream_t points to

namespace plait::detail {

/// Goes up with every change of what follows: libplait_cuda is a file of its own.
inline constexpr std::int32_t kFrameCudaVersion = 1;

/// Outputs side by side that one block of threads computes; a table says which pixels they read.
inline constexpr int kFrameTile = 128;

/// Inputs of one output, or of one tile.
struct FrameTaps {
  std::int32_t first;
  std::int32_t count;
};

/// A group of components. Tables are named by their first byte in FrameCudaCall::tables.
struct FrameCudaGroup {
  std::int32_t plane;
  std::int32_t components;  ///< 1, 2 or 3
  std::int32_t step;        ///< bytes from pixel to pixel
  std::int32_t offsets[3];
  std::int32_t targets[3];      ///< which of the levels each component is
  std::int32_t shift;           ///< of vertical sums
  float scale;                  ///< from horizontal sums to levels
  std::int32_t widest;          ///< of row_weights
  std::int64_t row_taps;        ///< FrameTaps [rows]
  std::int64_t row_weights;     ///< int16 [rows, widest]
  std::int64_t column_taps;     ///< FrameTaps [columns]
  std::int64_t column_weights;  ///< int16 [widest of the columns, columns]: threads read in a row
  std::int64_t tile_taps;       ///< FrameTaps [tiles], in pixels
};

/// One frame. Every pointer is to device memory. The encoder's input has output_height rows of
/// output_width pixels; the window of rows x columns at (top, left) is computed, the rest is
/// border.
struct FrameCudaCall {
  std::int32_t version;  ///< kFrameCudaVersion
  const std::uint8_t* planes[3];
  std::int64_t strides[3];
  const std::byte* tables;
  void* out;  ///< of the kind's elements, aligned for them
  FrameCudaGroup groups[3];
  std::int32_t group_count;
  std::int32_t level_count;  ///< 1: the groups give one level, which all colours share
  std::int32_t rows;
  std::int32_t columns;
  std::int32_t top;
  std::int32_t left;
  std::int32_t output_height;
  std::int32_t output_width;
  std::int32_t channels;        ///< 1 or 3
  std::int32_t channels_first;  ///< 1: NCHW, 0: NHWC
  std::int32_t element_bytes;   ///< 4: float32, 2: float16, 1: uint8
  float matrix[3][3];           ///< from here on as FinishRule says
  float offset[3];
  float scale[3];
  float bias[3];
  float maximum;
  float border[3];
};

}  // namespace plait::detail

extern "C" {
/// Queues one frame's preparation on a stream of the current device; allocates nothing, waits for
/// nothing. nullptr, or why there is no launch, a text that is never freed. Thread-safe. Of
/// libplait_cuda.
const char* plait_cuda_prepare_frame(const plait::detail::FrameCudaCall* call,
                                     CUstream_st* stream) noexcept;
}
