// frame_simd_finish-inl.hpp: levels -> the encoder's input in vectors: colours, units, element
// type. Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_FRAME_SIMD_FINISH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_FRAME_SIMD_FINISH_INL
#undef PLAIT_FRAME_SIMD_FINISH_INL
#else
#define PLAIT_FRAME_SIMD_FINISH_INL
#endif

#include "base/half.hpp"
#include "hwy/highway.h"
#include "preprocess/frame_kernels.hpp"
#include "preprocess/frame_simd-inl.hpp"

// A machine without vectors runs the plain loops.
#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace plait::detail {
namespace HWY_NAMESPACE {

using Floats = hn::ScalableTag<float>;
using Float = hn::Vec<Floats>;

/// What a vector of values becomes in each element type: the lanes that are stored.
inline Float stored_as(float /*element*/, Float values) { return values; }

inline auto stored_as(std::uint16_t /*element*/, Float values) {
  const Floats df;
  const hn::RebindToSigned<Floats> d32;
  const hn::Rebind<std::uint16_t, Floats> d16;
  // half_of, with its branches as selections.
  const auto bits = hn::BitCast(d32, values);
  const auto magnitude = hn::And(bits, hn::Set(d32, 0x7FFFFFFF));
  const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 0x8000));
  const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d32, 1));
  const auto normal =
      hn::ShiftRight<13>(hn::Add(hn::Add(magnitude, hn::Set(d32, kHalfRebias)), odd));
  const auto small =
      hn::Sub(hn::BitCast(d32, hn::Add(hn::BitCast(df, magnitude), hn::Set(df, 0.5F))),
              hn::Set(d32, kOneHalf));
  auto half = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d32, kSmallestNormalHalf)), small, normal);
  half = hn::IfThenElse(hn::Gt(magnitude, hn::Set(d32, kHalfOverflow - 1)),
                        hn::Set(d32, kHalfInfinity), half);
  return hn::DemoteTo(d16, hn::Or(half, sign));
}

inline auto stored_as(std::uint8_t /*element*/, Float values) {
  return hn::DemoteTo(hn::Rebind<std::uint8_t, Floats>(), hn::NearestInt(values));
}

template <typename Element>
void finish_as(const FinishRow& row) {
  const Floats d;
  const hn::Rebind<Element, Floats> stored;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const FinishRule& rule = *row.rule;
  const auto channel = [&](std::size_t c, std::int64_t x) HWY_ATTR {
    // Not MulAdd, which rounds once where a target fuses it and twice elsewhere.
    auto level = hn::Mul(hn::Set(d, rule.matrix[c][0]), hn::LoadU(d, row.levels[0] + x));
    level = hn::Add(level, hn::Mul(hn::Set(d, rule.matrix[c][1]), hn::LoadU(d, row.levels[1] + x)));
    level = hn::Add(level, hn::Mul(hn::Set(d, rule.matrix[c][2]), hn::LoadU(d, row.levels[2] + x)));
    level = hn::Add(level, hn::Set(d, rule.offset[c]));
    level = hn::Min(hn::Max(level, hn::Zero(d)), hn::Set(d, rule.maximum));
    return stored_as(Element{},
                     hn::Add(hn::Mul(level, hn::Set(d, rule.scale[c])), hn::Set(d, rule.bias[c])));
  };
  const auto target = [&](std::size_t c) { return reinterpret_cast<Element*>(row.out[c]); };
  const auto channels = static_cast<std::size_t>(rule.channels);
  std::int64_t x = 0;
  if (row.step == 1) {
    for (; x + width <= row.count; x += width) {
      for (std::size_t c = 0; c < channels; ++c) {
        hn::StoreU(channel(c, x), stored, target(c) + x);
      }
    }
  } else {
    for (; x + width <= row.count; x += width) {
      hn::StoreInterleaved3(channel(0, x), channel(1, x), channel(2, x), stored, target(0) + 3 * x);
    }
  }
  FinishRow rest = row;
  rest.count -= x;
  for (std::size_t c = 0; c < 3; ++c) rest.levels[c] += x;
  for (std::size_t c = 0; c < channels; ++c) {
    rest.out[c] = reinterpret_cast<std::byte*>(target(c) + x * row.step);
  }
  scalar_frame_kernels().finish(rest);
}

inline void finish(const FinishRow& row) {
  if (row.rule->dtype == DType::kFloat16) return finish_as<std::uint16_t>(row);
  if (row.rule->dtype == DType::kUInt8) return finish_as<std::uint8_t>(row);
  finish_as<float>(row);
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::detail
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET

#endif  // per-target include guard
