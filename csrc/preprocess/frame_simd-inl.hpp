// frame_simd-inl.hpp: what the vector loops share: running sums of 16-bit pairs.
// Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_FRAME_SIMD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_FRAME_SIMD_INL
#undef PLAIT_FRAME_SIMD_INL
#else
#define PLAIT_FRAME_SIMD_INL
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

// A machine without vectors runs the plain loops.
#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace plait::detail {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Values = hn::ScalableTag<std::int16_t>;
using Sums = hn::RepartitionToWide<Values>;
using Quad = hn::FixedTag<std::int32_t, 4>;

/// A running sum of products of neighbouring 16-bit values.
template <class D>
struct PairSum {
  hn::Vec<D> even;
  hn::Vec<D> odd;  // unused where one instruction adds both

  PairSum() : even(hn::Zero(D())), odd(hn::Zero(D())) {}
  template <class V>
  void add(D d, V values, V weights) {
    even = hn::ReorderWidenMulAccumulate(d, values, weights, even, odd);
  }
  hn::Vec<D> total() const { return hn::RearrangeToOddPlusEven(even, odd); }
};

/// Two 16-bit weights as one 32-bit value, the first in the lower half.
inline std::int32_t pair_of(std::int32_t first, std::int32_t second) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(second) << 16) |
                                   (static_cast<std::uint32_t>(first) & 0xFFFFU));
}

inline std::int32_t load_pair(const std::int16_t* weights) {
  std::int32_t pair = 0;
  std::memcpy(&pair, weights, sizeof(pair));
  return pair;
}

template <class D16>
hn::Vec<D16> broadcast(D16 d, std::int32_t pair) {
  return hn::BitCast(d, hn::Set(hn::RepartitionToWide<D16>(), pair));
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::detail
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET

#endif  // per-target include guard
