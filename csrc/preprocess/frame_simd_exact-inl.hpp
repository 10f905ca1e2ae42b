// frame_simd_exact-inl.hpp: Pillow's passes and 8-bit colours in vectors.
// Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_FRAME_SIMD_EXACT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_FRAME_SIMD_EXACT_INL
#undef PLAIT_FRAME_SIMD_EXACT_INL
#else
#define PLAIT_FRAME_SIMD_EXACT_INL
#endif

#include <algorithm>
#include <array>

#include "hwy/highway.h"
#include "preprocess/frame_kernels.hpp"
#include "preprocess/frame_simd-inl.hpp"
#include "preprocess/frame_weights.hpp"

// A machine without vectors runs the plain loops.
#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace plait::detail {
namespace HWY_NAMESPACE {

/// The 16 bytes at each of the rows, one row a 128-bit block.
template <class D>
hn::Vec<D> load_rows(D d, const std::uint8_t* const* rows, std::int64_t byte) {
  if constexpr (hn::MaxLanes(D()) == 16) {
    return hn::LoadU(d, rows[0] + byte);
  } else {
    const hn::Half<D> half;
    constexpr std::size_t kHalfRows = hn::MaxLanes(D()) / 32;
    return hn::Combine(d, load_rows(half, rows + kHalfRows, byte), load_rows(half, rows, byte));
  }
}

/// Outputs whose groups can be read as 16 bytes each; those near the end of a row, whose last bytes
/// might lie behind it, are left to plain loops.
inline std::int64_t vectored_outputs(const ExactHorizontal& pass) {
  const std::int64_t reach = (pass.widest_groups - 1) * 4 * pass.step + 16;
  std::int64_t vectored = pass.outputs;
  while (vectored > 0 && pass.firsts[vectored - 1] * pass.step + reach > pass.readable) --vectored;
  return vectored;
}

inline void exact_horizontal_rest(const ExactHorizontal& pass, std::int64_t done) {
  ExactHorizontal rest = pass;
  rest.outputs -= done;
  rest.firsts += done;
  rest.counts += done;
  rest.weights += done * pass.widest;
  for (std::uint8_t*& out : rest.out) out += pass.components * done;
  scalar_frame_kernels().exact_horizontal(rest);
}

/// One component of one byte: a block's lower half sums the high parts of a row's weights, its
/// upper half the low parts.
inline void exact_horizontal_gray(const ExactHorizontal& pass) {
  using Bytes = hn::CappedTag<std::uint8_t, 64>;
  const Bytes d8;
  const hn::Repartition<std::int16_t, Bytes> d16;
  using Totals = hn::Repartition<std::int32_t, Bytes>;
  const Totals d32;
  constexpr std::size_t kRows = hn::MaxLanes(Bytes()) / 16;
  std::array<std::uint8_t, 16> taps{};
  for (std::size_t byte = 0; byte < 16; ++byte) {
    taps[byte] = static_cast<std::uint8_t>(byte % 2 == 0 ? byte / 2 % 4 : 0x80);
  }
  const auto shuffle = hn::LoadDup128(d8, taps.data());
  const std::int64_t vectored = vectored_outputs(pass);
  for (std::size_t r = 0; r < pass.rows.size(); r += kRows) {
    for (std::int64_t x = 0; x < vectored; ++x) {
      PairSum<Totals> sum;
      std::int64_t byte = pass.firsts[x];
      const std::int16_t* split = pass.split + x * pass.widest_groups * kExactGroup;
      for (std::int32_t g = 0; g < pass.groups[x]; ++g, byte += 4, split += kExactGroup) {
        const auto bytes = load_rows(d8, pass.rows.data() + r, byte);
        sum.add(d32, hn::BitCast(d16, hn::TableLookupBytesOr0(bytes, shuffle)),
                hn::LoadDup128(d16, split));
      }
      HWY_ALIGN std::int32_t sums[4 * kRows];
      hn::Store(sum.total(), d32, sums);
      for (std::size_t row = 0; row < kRows; ++row) {
        const std::int32_t* part = sums + 4 * row;
        const std::int32_t high = (part[0] + part[1]) * (1 << kExactSplit);
        const std::int32_t total = high + part[2] + part[3] + (1 << (kExactBits - 1));
        pass.out[r + row][x] = static_cast<std::uint8_t>(std::clamp(total >> kExactBits, 0, 255));
      }
    }
  }
  exact_horizontal_rest(pass, vectored);
}

inline void exact_horizontal(const ExactHorizontal& pass) {
  if (pass.components == 1 && pass.step == 1) return exact_horizontal_gray(pass);
  if (pass.components != 3) return scalar_frame_kernels().exact_horizontal(pass);
  using Bytes = hn::CappedTag<std::uint8_t, 64>;
  const Bytes d8;
  const hn::Repartition<std::int16_t, Bytes> d16;
  using Totals = hn::Repartition<std::int32_t, Bytes>;
  const Totals d32;
  constexpr std::size_t kRows = hn::MaxLanes(Bytes()) / 16;
  std::array<std::uint8_t, 16> first_pair{};
  std::array<std::uint8_t, 16> second_pair{};
  for (std::size_t byte = 0; byte < 16; ++byte) {
    // Zero-extended to 16 bits; the fourth lane stays empty.
    const bool used = byte % 2 == 0 && byte < 12;
    const auto source = static_cast<std::size_t>(pass.step) * (byte / 2 % 2) + byte / 4;
    first_pair[byte] = static_cast<std::uint8_t>(used ? source : 0x80);
    second_pair[byte] =
        static_cast<std::uint8_t>(used ? source + 2 * static_cast<std::size_t>(pass.step) : 0x80);
  }
  const auto first_shuffle = hn::LoadDup128(d8, first_pair.data());
  const auto second_shuffle = hn::LoadDup128(d8, second_pair.data());
  const auto half = hn::Set(d32, 1 << (kExactBits - 1));
  const std::int64_t group_bytes = 4 * pass.step;
  const std::int64_t vectored = vectored_outputs(pass);
  for (std::size_t r = 0; r < pass.rows.size(); r += kRows) {
    for (std::int64_t x = 0; x < vectored; ++x) {
      PairSum<Totals> high;
      PairSum<Totals> low;
      std::int64_t byte = pass.firsts[x] * pass.step;
      const std::int16_t* split = pass.split + x * pass.widest_groups * kExactGroup;
      for (std::int32_t g = 0; g < pass.groups[x]; ++g, byte += group_bytes) {
        const auto bytes = load_rows(d8, pass.rows.data() + r, byte);
        const auto first = hn::BitCast(d16, hn::TableLookupBytesOr0(bytes, first_shuffle));
        const auto second = hn::BitCast(d16, hn::TableLookupBytesOr0(bytes, second_shuffle));
        high.add(d32, first, broadcast(d16, load_pair(split)));
        high.add(d32, second, broadcast(d16, load_pair(split + 2)));
        low.add(d32, first, broadcast(d16, load_pair(split + 4)));
        low.add(d32, second, broadcast(d16, load_pair(split + 6)));
        split += kExactGroup;
      }
      auto total = hn::Add(hn::ShiftLeft<kExactSplit>(high.total()), low.total());
      total = hn::ShiftRight<kExactBits>(hn::Add(total, half));
      total = hn::Min(hn::Max(total, hn::Zero(d32)), hn::Set(d32, 255));
      HWY_ALIGN std::int32_t levels[4 * kRows];
      hn::Store(total, d32, levels);
      for (std::size_t row = 0; row < kRows; ++row) {
        std::uint8_t* out = pass.out[r + row] + 3 * x;
        for (std::size_t c = 0; c < 3; ++c) {
          out[c] = static_cast<std::uint8_t>(levels[4 * row + c]);
        }
      }
    }
  }
  exact_horizontal_rest(pass, vectored);
}

inline void exact_vertical_columns(const ExactVertical& pass, std::int64_t i) {
  const Values d16;
  const Sums d32;
  const hn::Rebind<std::uint8_t, Values> d8;
  PairSum<Sums> lower_high;
  PairSum<Sums> lower_low;
  PairSum<Sums> upper_high;
  PairSum<Sums> upper_low;
  constexpr std::int32_t kLow = (1 << kExactSplit) - 1;
  for (std::int64_t k = 0; k < pass.count; k += 2) {
    const bool both = k + 1 < pass.count;
    const std::int32_t first = pass.weights[k];
    const std::int32_t second = both ? pass.weights[k + 1] : 0;
    const auto high = broadcast(d16, pair_of(first >> kExactSplit, second >> kExactSplit));
    const auto low = broadcast(d16, pair_of(first & kLow, second & kLow));
    const auto a = hn::PromoteTo(d16, hn::LoadU(d8, pass.rows[k] + i));
    const auto b = hn::PromoteTo(d16, hn::LoadU(d8, pass.rows[both ? k + 1 : k] + i));
    const auto lower = hn::InterleaveLower(d16, a, b);
    const auto upper = hn::InterleaveUpper(d16, a, b);
    lower_high.add(d32, lower, high);
    lower_low.add(d32, lower, low);
    upper_high.add(d32, upper, high);
    upper_low.add(d32, upper, low);
  }
  const auto half = hn::Set(d32, 1 << (kExactBits - 1));
  const auto rounded = [&](auto high, auto low) HWY_ATTR {
    const auto total = hn::Add(hn::ShiftLeft<kExactSplit>(high.total()), low.total());
    return hn::ShiftRight<kExactBits>(hn::Add(total, half));
  };
  const auto packed =
      hn::ReorderDemote2To(d16, rounded(lower_high, lower_low), rounded(upper_high, upper_low));
  hn::StoreU(hn::DemoteTo(d8, packed), d8, pass.out + i);
}

inline void exact_vertical(const ExactVertical& pass) {
  constexpr std::int64_t kWidth = hn::MaxLanes(Values());
  if (pass.columns < kWidth) return scalar_frame_kernels().exact_vertical(pass);
  std::int64_t i = 0;
  for (; i + kWidth <= pass.columns; i += kWidth) exact_vertical_columns(pass, i);
  if (i < pass.columns) exact_vertical_columns(pass, pass.columns - kWidth);
}

/// A vector of pixels: luma of each, U and V of each pair in turn.
inline void colour_pixels(const ColourRule& rule, const std::uint8_t* luma,
                          const std::uint8_t* chroma, std::uint8_t* rgb) {
  const hn::ScalableTag<std::int32_t> d32;
  const hn::Rebind<std::uint8_t, decltype(d32)> d8;
  const auto factor = [&](std::int32_t value) HWY_ATTR { return hn::Set(d32, value); };
  const auto uv = hn::Sub(hn::PromoteTo(d32, hn::LoadU(d8, chroma)), factor(128));
  const auto u = hn::DupEven(uv);
  const auto v = hn::DupOdd(uv);
  const auto y = hn::Sub(hn::PromoteTo(d32, hn::LoadU(d8, luma)), factor(rule.luma_offset));
  const auto base = hn::Add(hn::Mul(y, factor(rule.luma)), factor(1 << (kColourBits - 1)));
  const auto red = hn::Add(base, hn::Mul(v, factor(rule.red_v)));
  const auto green =
      hn::Add(base, hn::Add(hn::Mul(u, factor(rule.green_u)), hn::Mul(v, factor(rule.green_v))));
  const auto blue = hn::Add(base, hn::Mul(u, factor(rule.blue_u)));
  hn::StoreInterleaved3(hn::DemoteTo(d8, hn::ShiftRight<kColourBits>(red)),
                        hn::DemoteTo(d8, hn::ShiftRight<kColourBits>(green)),
                        hn::DemoteTo(d8, hn::ShiftRight<kColourBits>(blue)), d8, rgb);
}

inline void colour(const ColourRow& row) {
  constexpr std::int64_t kWidth = hn::MaxLanes(hn::ScalableTag<std::int32_t>());
  std::int64_t x = 0;
  for (; x + kWidth <= row.count; x += kWidth) {
    // Other layouts are first brought into that of NV12, a vector at a time.
    std::array<std::uint8_t, kWidth> luma;
    std::array<std::uint8_t, kWidth> chroma;
    const std::uint8_t* y = row.luma + x * row.luma_step;
    if (row.luma_step != 1) {
      for (std::size_t i = 0; i < luma.size(); ++i) luma[i] = y[i * row.luma_step];
      y = luma.data();
    }
    const std::uint8_t* u = row.u + x / 2 * row.chroma_step;
    const std::uint8_t* v = row.v + x / 2 * row.chroma_step;
    if (row.chroma_step != 2 || v != u + 1) {
      for (std::size_t i = 0; i < chroma.size() / 2; ++i) {
        chroma[2 * i] = u[i * row.chroma_step];
        chroma[2 * i + 1] = v[i * row.chroma_step];
      }
      u = chroma.data();
    }
    colour_pixels(*row.rule, y, u, row.rgb + 3 * x);
  }
  ColourRow rest = row;
  rest.count -= x;
  rest.luma += x * row.luma_step;
  rest.u += x / 2 * row.chroma_step;
  rest.v += x / 2 * row.chroma_step;
  rest.rgb += 3 * x;
  scalar_frame_kernels().colour(rest);
}

inline void gray(const GrayRow& row) {
  const hn::ScalableTag<std::int32_t> d32;
  const hn::Rebind<std::uint8_t, decltype(d32)> d8;
  using Pixels = hn::Vec<decltype(d8)>;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d32));
  const auto first_weight = hn::Set(d32, kGrayWeights[row.blue_first ? 2 : 0]);
  const auto green_weight = hn::Set(d32, kGrayWeights[1]);
  const auto last_weight = hn::Set(d32, kGrayWeights[row.blue_first ? 0 : 2]);
  const auto half = hn::Set(d32, 0x8000);
  std::int64_t x = 0;
  for (; x + width <= row.count; x += width) {
    Pixels first;
    Pixels green;
    Pixels last;
    Pixels alpha;
    if (row.step == 3) {
      hn::LoadInterleaved3(d8, row.bytes + 3 * x, first, green, last);
    } else {
      hn::LoadInterleaved4(d8, row.bytes + 4 * x, first, green, last, alpha);
    }
    auto sum = hn::Add(half, hn::Mul(hn::PromoteTo(d32, first), first_weight));
    sum = hn::Add(sum, hn::Mul(hn::PromoteTo(d32, green), green_weight));
    sum = hn::Add(sum, hn::Mul(hn::PromoteTo(d32, last), last_weight));
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<16>(sum)), d8, row.out + x);
  }
  GrayRow rest = row;
  rest.bytes += x * row.step;
  rest.count -= x;
  rest.out += x;
  scalar_frame_kernels().gray(rest);
}

inline void unpack(const Unpack& row) {
  const hn::ScalableTag<float> df;
  const hn::RebindToSigned<decltype(df)> d32;
  const hn::Rebind<std::uint8_t, decltype(df)> d8;
  const auto width = static_cast<std::int64_t>(hn::Lanes(df));
  std::int64_t x = 0;
  if (row.components == 3) {
    for (; x + width <= row.count; x += width) {
      hn::Vec<decltype(d8)> a;
      hn::Vec<decltype(d8)> b;
      hn::Vec<decltype(d8)> c;
      hn::LoadInterleaved3(d8, row.bytes + 3 * x, a, b, c);
      hn::StoreU(hn::ConvertTo(df, hn::PromoteTo(d32, a)), df, row.levels[0] + x);
      hn::StoreU(hn::ConvertTo(df, hn::PromoteTo(d32, b)), df, row.levels[1] + x);
      hn::StoreU(hn::ConvertTo(df, hn::PromoteTo(d32, c)), df, row.levels[2] + x);
    }
  }
  Unpack rest = row;
  rest.bytes += x * row.components;
  rest.count -= x;
  for (int c = 0; c < row.components; ++c) rest.levels[static_cast<std::size_t>(c)] += x;
  scalar_frame_kernels().unpack(rest);
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::detail
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET

#endif  // per-target include guard
