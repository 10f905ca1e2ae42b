// cuda_fp16.h: in CUDA's place under host emulation: float16 as the core's conversions define it.
#pragma once

#include <cstdint>

#include "base/half.hpp"

struct __half {
  std::uint16_t bits;
};
static_assert(sizeof(__half) == 2);

inline float __half2float(__half value) { return plait::detail::float_of_half(value.bits); }
inline __half __float2half_rn(float value) { return {plait::detail::half_of_any(value)}; }
