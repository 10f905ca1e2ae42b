// half.hpp: float32 to and from IEEE 754 binary16, in integers: the specification of every target.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace plait::detail {

// As float32 bits: the smallest normal half, one half (whose last place is that of the subnormal
// halves), and the first value that rounds to infinity (65520).
inline constexpr std::int32_t kSmallestNormalHalf = 0x38800000;
inline constexpr std::int32_t kOneHalf = 0x3F000000;
inline constexpr std::int32_t kHalfOverflow = 0x477FF000;
inline constexpr std::int32_t kHalfInfinity = 0x7C00;
/// From float32's exponent bias to binary16's, and just below half of the last place kept.
inline constexpr std::int32_t kHalfRebias = -(112 << 23) + 0xFFF;

inline float float_of_half(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13U));
  if (exponent == 0) {  // zero and subnormal numbers: fraction times 2^-24
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (fraction << 13U));
}

/// Rounded to nearest, ties to even; what is too large becomes infinity. Not for NaN.
inline std::uint16_t half_of(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto magnitude = static_cast<std::int32_t>(bits & 0x7FFFFFFFU);
  std::int32_t half = 0;
  if (magnitude >= kHalfOverflow) {
    half = kHalfInfinity;
  } else if (magnitude < kSmallestNormalHalf) {
    // The addition rounds at the last place of a subnormal half.
    half = std::bit_cast<std::int32_t>(std::bit_cast<float>(magnitude) + 0.5F) - kOneHalf;
  } else {
    half = (magnitude + kHalfRebias + ((magnitude >> 13) & 1)) >> 13;
  }
  return static_cast<std::uint16_t>(static_cast<std::uint32_t>(half) | ((bits >> 16) & 0x8000U));
}

/// The same, and NaN stays NaN.
inline std::uint16_t half_of_any(float value) noexcept {
  return std::isnan(value) ? std::uint16_t{0x7E00} : half_of(value);
}

}  // namespace plait::detail
