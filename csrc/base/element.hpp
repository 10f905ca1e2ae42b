// element.hpp: how plain loops read and write an element type: all arithmetic is float32.
#pragma once

#include <cstdint>

#include "base/half.hpp"

namespace plait::detail {

struct Float32 {
  using Element = float;
  static float load(float value) noexcept { return value; }
  static float store(float value) noexcept { return value; }
};

struct Float16 {
  using Element = std::uint16_t;
  static float load(std::uint16_t value) noexcept { return float_of_half(value); }
  static std::uint16_t store(float value) noexcept { return half_of_any(value); }
};

}  // namespace plait::detail
