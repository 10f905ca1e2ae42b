// simd_dispatch.hpp: the fastest of a function's vector versions that this machine runs.
//
// Used once, at the end of a file that Highway compiled for every target (inside #if HWY_ONCE):
//
//   const auto rows = PLAIT_SIMD_CHOOSE(fuse_rows);   // nullptr where there is no vector unit
//
// Only Highway's headers are used, since Debian has no static libhwy: so the choice is made here.
#pragma once

#include <hwy/highway.h>

namespace plait::detail {

/// What the machine runs, best first. Thread-safe.
enum class SimdTarget { kAvx3, kAvx2, kSse4, kSsse3, kNeon };
bool machine_runs(SimdTarget target) noexcept;

template <typename F>
F* choose_simd(F* avx3, F* avx2, F* sse4, F* ssse3, F* neon) noexcept {
  if (avx3 != nullptr && machine_runs(SimdTarget::kAvx3)) return avx3;
  if (avx2 != nullptr && machine_runs(SimdTarget::kAvx2)) return avx2;
  if (sse4 != nullptr && machine_runs(SimdTarget::kSse4)) return sse4;
  if (ssse3 != nullptr && machine_runs(SimdTarget::kSsse3)) return ssse3;
  return neon;
}

}  // namespace plait::detail

#if HWY_TARGETS & HWY_AVX3
#define PLAIT_SIMD_AVX3(function) &N_AVX3::function
#else
#define PLAIT_SIMD_AVX3(function) static_cast<decltype(&HWY_STATIC_DISPATCH(function))>(nullptr)
#endif
#if HWY_TARGETS & HWY_AVX2
#define PLAIT_SIMD_AVX2(function) &N_AVX2::function
#else
#define PLAIT_SIMD_AVX2(function) static_cast<decltype(&HWY_STATIC_DISPATCH(function))>(nullptr)
#endif
#if HWY_TARGETS & HWY_SSE4
#define PLAIT_SIMD_SSE4(function) &N_SSE4::function
#else
#define PLAIT_SIMD_SSE4(function) static_cast<decltype(&HWY_STATIC_DISPATCH(function))>(nullptr)
#endif
#if HWY_TARGETS & HWY_SSSE3
#define PLAIT_SIMD_SSSE3(function) &N_SSSE3::function
#else
#define PLAIT_SIMD_SSSE3(function) static_cast<decltype(&HWY_STATIC_DISPATCH(function))>(nullptr)
#endif
#if HWY_TARGETS & HWY_NEON
#define PLAIT_SIMD_NEON(function) &N_NEON::function
#else
#define PLAIT_SIMD_NEON(function) static_cast<decltype(&HWY_STATIC_DISPATCH(function))>(nullptr)
#endif

#define PLAIT_SIMD_CHOOSE(function)                                                   \
  ::plait::detail::choose_simd(PLAIT_SIMD_AVX3(function), PLAIT_SIMD_AVX2(function),  \
                               PLAIT_SIMD_SSE4(function), PLAIT_SIMD_SSSE3(function), \
                               PLAIT_SIMD_NEON(function))
