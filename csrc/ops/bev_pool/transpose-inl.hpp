// bev_pool/transpose-inl.hpp: channels last from channels first and back, four by four, of either
// element type. Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_BEV_POOL_TRANSPOSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_BEV_POOL_TRANSPOSE_INL
#undef PLAIT_BEV_POOL_TRANSPOSE_INL
#else
#define PLAIT_BEV_POOL_TRANSPOSE_INL
#endif

#include <bit>
#include <cstdint>

#include "base/half.hpp"
#include "hwy/cache_control.h"
#include "ops/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

inline void from_float(float value, float* to) { *to = value; }
inline void from_float(float value, hwy::float16_t* to) {
  *to = std::bit_cast<hwy::float16_t>(detail::half_of_any(value));
}

#if HWY_TARGET == HWY_SCALAR
inline constexpr std::int64_t kSquare = 1;
template <bool kPastTheCache, typename From, typename To>
void transpose_square(const From* from, std::int64_t, To* to, std::int64_t) {
  from_float(to_float(*from), to);
}
#else
inline constexpr std::int64_t kSquare = 4;
using Four = hn::FixedTag<float, kSquare>;
inline hn::Vec<Four> load_four(const float* p) { return hn::LoadU(Four(), p); }
inline hn::Vec<Four> load_four(const hwy::float16_t* p) {
  return hn::PromoteTo(Four(), hn::LoadU(hn::Rebind<hwy::float16_t, Four>(), p));
}
template <bool kPastTheCache>
void store_four(hn::Vec<Four> v, float* p) {
  kPastTheCache ? hn::Stream(v, Four(), p) : hn::StoreU(v, Four(), p);
}
template <bool>
void store_four(hn::Vec<Four> v, hwy::float16_t* p) {
  const hn::Rebind<hwy::float16_t, Four> half;
  hn::StoreU(hn::DemoteTo(half, v), half, p);
}

template <bool kPastTheCache, typename From, typename To>
void transpose_square(const From* from, std::int64_t from_step, To* to, std::int64_t to_step) {
  const Four d;
  const auto row0 = load_four(from);
  const auto row1 = load_four(from + from_step);
  const auto row2 = load_four(from + 2 * from_step);
  const auto row3 = load_four(from + 3 * from_step);
  const auto lower01 = hn::InterleaveLower(d, row0, row1);
  const auto lower23 = hn::InterleaveLower(d, row2, row3);
  const auto upper01 = hn::InterleaveUpper(d, row0, row1);
  const auto upper23 = hn::InterleaveUpper(d, row2, row3);
  store_four<kPastTheCache>(hn::ConcatLowerLower(d, lower23, lower01), to);
  store_four<kPastTheCache>(hn::ConcatUpperUpper(d, lower23, lower01), to + to_step);
  store_four<kPastTheCache>(hn::ConcatLowerLower(d, upper23, upper01), to + 2 * to_step);
  store_four<kPastTheCache>(hn::ConcatUpperUpper(d, upper23, upper01), to + 3 * to_step);
}
#endif

/// to[column][row] = from[row][column], rows a step of elements apart. Past the cache: to and its
/// step are of whole squares.
template <bool kPastTheCache = false, typename From, typename To>
void transpose(const From* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns,
               To* to, std::int64_t to_step) {
  const std::int64_t whole_rows = rows - rows % kSquare;
  const std::int64_t whole_columns = columns - columns % kSquare;
  for (std::int64_t c = 0; c < whole_columns; c += kSquare) {
    for (std::int64_t r = 0; r < whole_rows; r += kSquare) {
      const From* square = from + r * from_step + c;
      transpose_square<kPastTheCache>(square, from_step, to + c * to_step + r, to_step);
    }
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t r = c < whole_columns ? whole_rows : 0; r < rows; ++r) {
      from_float(to_float(from[r * from_step + c]), to + c * to_step + r);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
