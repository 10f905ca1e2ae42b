// ops/simd-inl.hpp: float32 vectors out of either element type, for the operators' vector loops.
// Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_OPS_SIMD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_OPS_SIMD_INL
#undef PLAIT_OPS_SIMD_INL
#else
#define PLAIT_OPS_SIMD_INL
#endif

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/half.hpp"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

inline constexpr std::size_t kMostLanes = HWY_MAX_BYTES / sizeof(float);

/// A canvas beyond what a cache keeps for the next operator is written past the cache: otherwise
/// each of its lines would be read first.
inline constexpr std::size_t kPastTheCache = std::size_t{16} << 20;

inline float to_float(float value) { return value; }
inline float to_float(hwy::float16_t value) {
  return detail::float_of_half(std::bit_cast<std::uint16_t>(value));
}

inline Vector load(Floats d, const float* p) { return hn::LoadU(d, p); }
inline Vector load(Floats d, const hwy::float16_t* p) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, Floats>(), p));
}
inline void store(Floats d, Vector v, float* p) { hn::StoreU(v, d, p); }
inline void store(Floats, Vector v, hwy::float16_t* p) {
  const hn::Rebind<hwy::float16_t, Floats> d16;
  hn::StoreU(hn::DemoteTo(d16, v), d16, p);
}

/// The last lanes of a row, fewer than a vector: through a small buffer.
template <typename T>
Vector load_some(Floats d, const T* p, std::size_t count) {
  HWY_ALIGN T buffer[kMostLanes] = {};
  std::copy_n(p, count, buffer);
  return load(d, buffer);
}
template <typename T>
void store_some(Floats d, Vector v, T* p, std::size_t count) {
  HWY_ALIGN T buffer[kMostLanes];
  store(d, v, buffer);
  std::copy_n(buffer, count, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
