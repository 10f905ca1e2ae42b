// frame_kernels_simd.cpp: the inner loops of frame preparation for every vector target.
//
// Highway compiles this file once a target. Only its headers are used: Debian has no static libhwy,
// and the choice at run time is the few lines at the end.
#include <cstring>

#include "preprocess/frame_kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "preprocess/frame_kernels_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "preprocess/frame_simd-inl.hpp"
#include "preprocess/frame_simd_exact-inl.hpp"
#include "preprocess/frame_simd_finish-inl.hpp"

// A machine without vectors runs the plain loops.
#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace plait::detail {
namespace HWY_NAMESPACE {

/// kVectors vectors of columns from column i on.
template <int kVectors>
void vertical_columns(const VerticalSum& sum, std::int64_t i) {
  const Values d16;
  const Sums d32;
  const hn::Rebind<std::uint8_t, Values> d8;
  constexpr std::int64_t kWidth = hn::MaxLanes(Values());
  // Arrays of constant length are taken apart into registers.
  PairSum<Sums> lower[kVectors];
  PairSum<Sums> upper[kVectors];
  const std::uint8_t* row = sum.rows + i;
  for (std::int64_t k = 0; k < sum.count; k += 2, row += 2 * sum.stride) {
    const bool both = k + 1 < sum.count;
    const std::uint8_t* next = both ? row + sum.stride : row;
    const auto weights = broadcast(d16, pair_of(sum.weights[k], both ? sum.weights[k + 1] : 0));
    for (std::int64_t v = 0; v < kVectors; ++v) {
      const auto a = hn::PromoteTo(d16, hn::LoadU(d8, row + v * kWidth));
      const auto b = hn::PromoteTo(d16, hn::LoadU(d8, next + v * kWidth));
      lower[v].add(d32, hn::InterleaveLower(d16, a, b), weights);
      upper[v].add(d32, hn::InterleaveUpper(d16, a, b), weights);
    }
  }
  const auto half = hn::Set(d32, sum.shift > 0 ? 1 << (sum.shift - 1) : 0);
  for (std::int64_t v = 0; v < kVectors; ++v) {
    const auto low = hn::ShiftRightSame(hn::Add(lower[v].total(), half), sum.shift);
    const auto high = hn::ShiftRightSame(hn::Add(upper[v].total(), half), sum.shift);
    // Packing undoes the interleaving: both work within 128 bits.
    hn::StoreU(hn::ReorderDemote2To(d16, low, high), d16, sum.out + i + v * kWidth);
  }
}

void vertical(const VerticalSum& sum) {
  constexpr std::int64_t kWidth = hn::MaxLanes(Values());
  if (sum.columns < kWidth) return scalar_frame_kernels().vertical(sum);
  std::int64_t i = 0;
  for (; i + 4 * kWidth <= sum.columns; i += 4 * kWidth) vertical_columns<4>(sum, i);
  for (; i + kWidth <= sum.columns; i += kWidth) vertical_columns<1>(sum, i);
  // The last columns again, so that nothing is read behind a row.
  if (i < sum.columns) vertical_columns<1>(sum, sum.columns - kWidth);
}

void arrange(const Arrangement& row) {
  const hn::FixedTag<std::uint8_t, 16> d8;
  const hn::FixedTag<std::int16_t, 8> d16;
  const Quad d32;
  const hn::Half<decltype(d16)> half;
  const auto shuffle = hn::LoadU(d8, row.shuffle.data());
  const std::int16_t* sums = row.sums;
  std::int16_t* block = row.block;
  for (std::int64_t p = 0; p < row.pairs; ++p, sums += 2 * row.step, block += kBlockPair) {
    const auto values = hn::BitCast(d8, hn::LoadU(d16, sums));
    const auto arranged = hn::BitCast(d16, hn::TableLookupBytes(values, shuffle));
    if (row.lanes == 4) {
      hn::StoreU(arranged, d16, block);
    } else if (row.lanes == 2) {
      hn::StoreU(hn::LowerHalf(half, arranged), half, block);
    } else {
      const std::int32_t pair = hn::GetLane(hn::BitCast(d32, arranged));
      std::memcpy(block, &pair, sizeof(pair));
    }
  }
}

void horizontal(const HorizontalSum& sum) {
  using Block = hn::CappedTag<std::int16_t, kBlockPair>;
  using BlockSums = hn::RepartitionToWide<Block>;
  const Block d16;
  const BlockSums d32;
  constexpr std::int64_t kWidth = hn::MaxLanes(Block());
  constexpr std::int64_t kVectors = kBlockPair / kWidth;
  for (std::int64_t x = 0; x < sum.outputs; ++x) {
    const std::int16_t* block = sum.block + sum.ranges[x].first * kBlockPair;
    const std::int16_t* weights = sum.weights + x * sum.widest * 2;
    for (std::int64_t v = 0; v < kVectors; ++v) {
      PairSum<BlockSums> total;
      for (std::int64_t p = 0; p < sum.ranges[x].count; ++p) {
        total.add(d32, hn::LoadU(d16, block + p * kBlockPair + v * kWidth),
                  broadcast(d16, load_pair(weights + 2 * p)));
      }
      hn::StoreU(total.total(), d32, sum.sums + x * kLanes + v * kWidth / 2);
    }
  }
}

void spread(const Spread& sums) {
  const Quad d32;
  const hn::RebindToFloat<Quad> df;
  const auto scale = hn::Set(df, sums.scale);
  std::int64_t x = 0;
  for (; x + 4 <= sums.outputs; x += 4) {
    for (std::size_t lane = 0; lane < kLanes; lane += 4) {
      const std::int32_t* first = sums.sums + x * kLanes + lane;
      const auto a = hn::LoadU(d32, first);
      const auto b = hn::LoadU(d32, first + kLanes);
      const auto c = hn::LoadU(d32, first + 2 * kLanes);
      const auto d = hn::LoadU(d32, first + 3 * kLanes);
      const auto ab_low = hn::InterleaveLower(d32, a, b);
      const auto ab_high = hn::InterleaveUpper(d32, a, b);
      const auto cd_low = hn::InterleaveLower(d32, c, d);
      const auto cd_high = hn::InterleaveUpper(d32, c, d);
      const auto store = [&](auto row, std::size_t offset) HWY_ATTR {
        float* target = sums.rows[lane + offset];
        if (target != nullptr) hn::StoreU(hn::Mul(hn::ConvertTo(df, row), scale), df, target + x);
      };
      store(hn::ConcatLowerLower(d32, cd_low, ab_low), 0);
      store(hn::ConcatUpperUpper(d32, cd_low, ab_low), 1);
      store(hn::ConcatLowerLower(d32, cd_high, ab_high), 2);
      store(hn::ConcatUpperUpper(d32, cd_high, ab_high), 3);
    }
  }
  Spread rest = sums;
  rest.sums += x * kLanes;
  rest.outputs -= x;
  for (float*& row : rest.rows) row = row == nullptr ? nullptr : row + x;
  scalar_frame_kernels().spread(rest);
}

const FrameKernels& kernels() {
  static const FrameKernels table = {
      hwy::TargetName(HWY_TARGET), &vertical,       &arrange, &horizontal, &spread, &finish,
      &exact_horizontal,           &exact_vertical, &colour,  &gray,       &unpack};
  return table;
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::detail
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::detail {

std::vector<const FrameKernels*> frame_kernels() {
  std::vector<const FrameKernels*> runnable;
#if HWY_TARGETS & HWY_AVX3
  if (machine_runs(SimdTarget::kAvx3)) runnable.push_back(&N_AVX3::kernels());
#endif
#if HWY_TARGETS & HWY_AVX2
  if (machine_runs(SimdTarget::kAvx2)) runnable.push_back(&N_AVX2::kernels());
#endif
#if HWY_TARGETS & HWY_SSE4
  if (machine_runs(SimdTarget::kSse4)) runnable.push_back(&N_SSE4::kernels());
#endif
#if HWY_TARGETS & HWY_SSSE3
  if (machine_runs(SimdTarget::kSsse3)) runnable.push_back(&N_SSSE3::kernels());
#endif
#if HWY_TARGETS & HWY_NEON
  if (machine_runs(SimdTarget::kNeon)) runnable.push_back(&N_NEON::kernels());
#endif
  runnable.push_back(&scalar_frame_kernels());
  return runnable;
}

const FrameKernels& best_frame_kernels() {
  static const FrameKernels& best = *frame_kernels().front();
  return best;
}

}  // namespace plait::detail
#endif  // HWY_ONCE
