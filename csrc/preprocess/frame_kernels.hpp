// frame_kernels.hpp: the inner loops of frame preparation, once as plain loops and once per target.
//
// The plain loops are the specification. Every target computes the same integers, and the same
// float32 operations in the same order, so all of them give the same bits.
//
// The fast path works on blocks of kLanes lanes. A lane is one component of one output row: 16 rows
// of luma, 8 rows of two chroma components, or 4 rows of three colours (and one lane unused), so
// that the horizontal pass is one loop for all formats. A block holds, for each pair of
// neighbouring pixels, kLanes pairs of 16-bit values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "plait/tensor.hpp"

namespace plait::detail {

inline constexpr std::int64_t kLanes = 16;
inline constexpr std::int64_t kBlockPair = 2 * kLanes;  ///< 16-bit values per pair of pixels
/// Values that may be read (not used) behind the end of a row of 16-bit sums or of bytes.
inline constexpr std::int64_t kSlack = 16;

/// out[i] = saturate16((half + sum over k of weights[k] * rows[k * stride + i]) >> shift), half the
/// rounding of shift. Reads exactly columns bytes of each row.
struct VerticalSum {
  const std::uint8_t* rows = nullptr;
  std::int64_t stride = 0;
  std::int64_t count = 0;
  const std::int16_t* weights = nullptr;
  int shift = 0;
  std::int64_t columns = 0;
  std::int16_t* out = nullptr;
};

/// Puts a row of sums into its lanes of a block: of pair p, component c and side s (left, right)
/// block[p * kBlockPair + 2 * c + s] = sums[(2 * p + s) * step + offset(c)].
struct Arrangement {
  const std::int16_t* sums = nullptr;  ///< kSlack values more than it has
  std::int64_t pairs = 0;
  std::int64_t step = 0;
  std::int64_t lanes = 0;                  ///< 1, 2 or 4 lanes are written
  std::array<int, 4> offsets{};            ///< of an unused fourth lane: any
  std::array<std::uint8_t, 16> shuffle{};  ///< the same as byte positions, see shuffle_of
  std::int16_t* block = nullptr;
};

/// Arrangement::shuffle of its step, lanes and offsets.
std::array<std::uint8_t, 16> shuffle_of(std::int64_t step,
                                        const std::array<int, 4>& offsets) noexcept;

/// Where an output's pairs begin, and how many there are.
struct PairRange {
  std::int32_t first = 0;
  std::int32_t count = 0;
};

/// sums[x * kLanes + lane] = sum over its pairs of weights * block, both of a pair at once.
struct HorizontalSum {
  const std::int16_t* block = nullptr;
  const PairRange* ranges = nullptr;
  const std::int16_t* weights = nullptr;  ///< widest pairs an output
  std::int64_t widest = 0;
  std::int64_t outputs = 0;
  std::int32_t* sums = nullptr;
};

/// rows[lane][x] = sums[x * kLanes + lane] * scale. Lanes without a row are dropped.
struct Spread {
  const std::int32_t* sums = nullptr;
  std::int64_t outputs = 0;
  float scale = 1.0F;
  std::array<float*, kLanes> rows{};
};

/// Levels of up to three colours -> one row of the encoder's input:
/// out[c] = min(max(m0 * a + m1 * b + m2 * c + offset, 0), maximum) * scale[c] + bias[c],
/// rounded to dtype: float32, float16 (half_of), or uint8 (to nearest, ties to even).
struct FinishRule {
  int channels = 3;
  std::array<std::array<float, 3>, 3> matrix{};
  std::array<float, 3> offset{};
  float maximum = 255.0F;
  std::array<float, 3> scale{};
  std::array<float, 3> bias{};
  DType dtype = DType::kFloat32;
};
struct FinishRow {
  const FinishRule* rule = nullptr;
  std::array<const float*, 3> levels{};
  std::int64_t count = 0;
  std::array<std::byte*, 3> out{};  ///< of elements of dtype, aligned for them
  std::int64_t step = 1;            ///< elements from one pixel to the next: 1, or 3 of an NHWC row
};

/// Weights of the exact path, split so that 16-bit products suffice:
/// weight = (high << kExactSplit) + low, low >= 0. Four taps a group:
/// high 0, 1, 2, 3, then low 0, 1, 2, 3.
inline constexpr int kExactSplit = 11;
inline constexpr int kExactGroup = 8;

/// Pillow's horizontal pass over four rows: out[r][x * components + c], from bytes
/// rows[r][(first + k) * step + c].
struct ExactHorizontal {
  std::array<const std::uint8_t*, 4> rows{};
  std::int64_t readable = 0;  ///< bytes of each row
  std::int64_t step = 0;
  std::int64_t components = 0;
  std::int64_t outputs = 0;
  const std::int32_t* firsts = nullptr;
  const std::int32_t* groups = nullptr;
  const std::int32_t* weights = nullptr;  ///< widest a row, padded with zeros
  std::int64_t widest = 0;
  const std::int32_t* counts = nullptr;
  const std::int16_t* split = nullptr;  ///< widest_groups * kExactGroup a row
  std::int64_t widest_groups = 0;
  std::array<std::uint8_t*, 4> out{};
};

/// Pillow's vertical pass: out[i] from rows[k][i].
struct ExactVertical {
  const std::uint8_t* const* rows = nullptr;
  std::int64_t count = 0;
  const std::int32_t* weights = nullptr;
  std::int64_t columns = 0;
  std::uint8_t* out = nullptr;
};

/// Luma and chroma -> red, green, blue, with this many bits behind the point.
inline constexpr int kColourBits = 20;
struct ColourRule {
  std::int32_t luma = 0;  ///< factor of luma - luma_offset
  std::int32_t luma_offset = 0;
  std::int32_t red_v = 0;
  std::int32_t green_u = 0;
  std::int32_t green_v = 0;
  std::int32_t blue_u = 0;
};
/// rgb[3 * x] from luma[x * luma_step], u and v[(x >> 1) * chroma_step]. count is even.
struct ColourRow {
  const ColourRule* rule = nullptr;
  const std::uint8_t* luma = nullptr;
  const std::uint8_t* u = nullptr;
  const std::uint8_t* v = nullptr;
  std::int64_t luma_step = 1;
  std::int64_t chroma_step = 1;
  std::int64_t count = 0;
  std::uint8_t* rgb = nullptr;
};

/// out[x] = Pillow's "L" of a pixel: (19595 red + 38470 green + 7471 blue + 0x8000) >> 16.
struct GrayRow {
  const std::uint8_t* bytes = nullptr;
  std::int64_t step = 3;    ///< bytes from one pixel to the next: 3 or 4
  bool blue_first = false;  ///< bytes 0, 1, 2 of a pixel are blue, green, red; else red first
  std::int64_t count = 0;
  std::uint8_t* out = nullptr;
};
inline constexpr std::array<std::int32_t, 3> kGrayWeights = {19595, 38470, 7471};

/// levels[c][x] = bytes[x * components + c].
struct Unpack {
  const std::uint8_t* bytes = nullptr;
  int components = 0;
  std::int64_t count = 0;
  std::array<float*, 3> levels{};
};

struct FrameKernels {
  const char* target = "";
  void (*vertical)(const VerticalSum&) = nullptr;
  void (*arrange)(const Arrangement&) = nullptr;
  void (*horizontal)(const HorizontalSum&) = nullptr;
  void (*spread)(const Spread&) = nullptr;
  void (*finish)(const FinishRow&) = nullptr;
  void (*exact_horizontal)(const ExactHorizontal&) = nullptr;
  void (*exact_vertical)(const ExactVertical&) = nullptr;
  void (*colour)(const ColourRow&) = nullptr;
  void (*gray)(const GrayRow&) = nullptr;
  void (*unpack)(const Unpack&) = nullptr;
};

const FrameKernels& scalar_frame_kernels() noexcept;
/// Of every target this machine runs, the best first, the plain loops last.
std::vector<const FrameKernels*> frame_kernels();
const FrameKernels& best_frame_kernels();

}  // namespace plait::detail
