// ops/transpose-inl.hpp: columns out of rows: a vector of one channel from as many rows of
// channels. Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_OPS_TRANSPOSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_OPS_TRANSPOSE_INL
#undef PLAIT_OPS_TRANSPOSE_INL
#else
#define PLAIT_OPS_TRANSPOSE_INL
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// columns[j] = rows[0][j], rows[1][j], ... for four j, of as many rows as a vector has lanes,
/// which lie stride floats apart.
inline void four_columns(const float* rows, std::size_t stride, Vector (&columns)[4]);

#if HWY_TARGET == HWY_SCALAR

inline void four_columns(const float* rows, std::size_t, Vector (&columns)[4]) {
  for (std::size_t j = 0; j < 4; ++j) columns[j] = hn::Load(Floats(), rows + j);
}

#else

/// Four floats from p, four from p + stride, and so on, until a vector is full.
template <class D>
hn::Vec<D> load_quads(D d, const float* p, std::size_t stride) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, p);
  } else {
    const hn::Half<D> half;
    constexpr std::size_t kQuadsOfHalf = hn::MaxLanes(D()) / 8;
    return hn::Combine(d, load_quads(half, p + kQuadsOfHalf * stride, stride),
                       load_quads(half, p, stride));
  }
}

/// columns[j] = rows[0][j], rows[1][j], ... for four j, of as many rows as a vector has lanes,
/// which lie stride floats apart.
inline void four_columns(const float* rows, std::size_t stride, Vector (&columns)[4]) {
  const Floats d;
  const hn::Repartition<double, Floats> pairs;
  // Within each block of four lanes, rows 4b to 4b + 3 of block b.
  const Vector r0 = load_quads(d, rows, 4 * stride);
  const Vector r1 = load_quads(d, rows + stride, 4 * stride);
  const Vector r2 = load_quads(d, rows + 2 * stride, 4 * stride);
  const Vector r3 = load_quads(d, rows + 3 * stride, 4 * stride);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
  columns[0] = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
  columns[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
  columns[2] = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
  columns[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
