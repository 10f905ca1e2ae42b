// half.hpp: float32 -> IEEE 754 binary16, in integers: the specification of every target.
#pragma once

#include <bit>
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

}  // namespace plait::detail
