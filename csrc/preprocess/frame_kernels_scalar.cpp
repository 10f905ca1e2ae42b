// frame_kernels_scalar.cpp: frame preparation as plain loops: the specification of every target.
#include <algorithm>
#include <cmath>

#include "base/half.hpp"
#include "preprocess/frame_kernels.hpp"
#include "preprocess/frame_weights.hpp"

namespace plait::detail {
namespace {

std::uint8_t clip8(std::int32_t value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0, 255));
}

void vertical(const VerticalSum& sum) {
  const std::int32_t half = sum.shift > 0 ? 1 << (sum.shift - 1) : 0;
  for (std::int64_t i = 0; i < sum.columns; ++i) {
    std::int32_t total = half;
    for (std::int64_t k = 0; k < sum.count; ++k) {
      total += sum.weights[k] * sum.rows[k * sum.stride + i];
    }
    sum.out[i] = static_cast<std::int16_t>(std::clamp(total >> sum.shift, -32768, 32767));
  }
}

void arrange(const Arrangement& row) {
  for (std::int64_t p = 0; p < row.pairs; ++p) {
    for (std::int64_t lane = 0; lane < row.lanes; ++lane) {
      for (std::int64_t side = 0; side < 2; ++side) {
        row.block[p * kBlockPair + 2 * lane + side] =
            row.sums[(2 * p + side) * row.step + row.offsets[static_cast<std::size_t>(lane)]];
      }
    }
  }
}

void horizontal(const HorizontalSum& sum) {
  for (std::int64_t x = 0; x < sum.outputs; ++x) {
    const std::int16_t* block = sum.block + sum.ranges[x].first * kBlockPair;
    const std::int16_t* weights = sum.weights + x * sum.widest * 2;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      std::int32_t total = 0;
      for (std::int64_t p = 0; p < sum.ranges[x].count; ++p) {
        const std::int16_t* pair = block + p * kBlockPair + 2 * lane;
        total += weights[2 * p] * pair[0] + weights[2 * p + 1] * pair[1];
      }
      sum.sums[x * kLanes + lane] = total;
    }
  }
}

void spread(const Spread& sums) {
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    float* row = sums.rows[static_cast<std::size_t>(lane)];
    if (row == nullptr) continue;
    for (std::int64_t x = 0; x < sums.outputs; ++x) {
      row[x] = static_cast<float>(sums.sums[x * kLanes + lane]) * sums.scale;
    }
  }
}

void store(float value, float* out) { *out = value; }
void store(float value, std::uint16_t* out) { *out = half_of(value); }
void store(float value, std::uint8_t* out) {
  *out = static_cast<std::uint8_t>(std::nearbyint(value));
}

template <typename Element>
void finish_as(const FinishRow& row) {
  const FinishRule& rule = *row.rule;
  for (std::int64_t x = 0; x < row.count; ++x) {
    for (int channel = 0; channel < rule.channels; ++channel) {
      const auto c = static_cast<std::size_t>(channel);
      const float level = rule.matrix[c][0] * row.levels[0][x] +
                          rule.matrix[c][1] * row.levels[1][x] +
                          rule.matrix[c][2] * row.levels[2][x] + rule.offset[c];
      store(std::min(std::max(level, 0.0F), rule.maximum) * rule.scale[c] + rule.bias[c],
            reinterpret_cast<Element*>(row.out[c]) + x * row.step);
    }
  }
}

void finish(const FinishRow& row) {
  if (row.rule->dtype == DType::kFloat16) return finish_as<std::uint16_t>(row);
  if (row.rule->dtype == DType::kUInt8) return finish_as<std::uint8_t>(row);
  finish_as<float>(row);
}

void exact_horizontal(const ExactHorizontal& pass) {
  for (std::size_t r = 0; r < pass.rows.size(); ++r) {
    for (std::int64_t x = 0; x < pass.outputs; ++x) {
      const std::int32_t* weights = pass.weights + x * pass.widest;
      for (int c = 0; c < pass.components; ++c) {
        std::int32_t total = 1 << (kExactBits - 1);
        for (std::int32_t k = 0; k < pass.counts[x]; ++k) {
          total += pass.rows[r][static_cast<std::int64_t>(pass.firsts[x] + k) * pass.step + c] *
                   weights[k];
        }
        pass.out[r][x * pass.components + c] = clip8(total >> kExactBits);
      }
    }
  }
}

void exact_vertical(const ExactVertical& pass) {
  for (std::int64_t i = 0; i < pass.columns; ++i) {
    std::int32_t total = 1 << (kExactBits - 1);
    for (std::int64_t k = 0; k < pass.count; ++k) total += pass.rows[k][i] * pass.weights[k];
    pass.out[i] = clip8(total >> kExactBits);
  }
}

void colour(const ColourRow& row) {
  const ColourRule& rule = *row.rule;
  constexpr std::int32_t half = 1 << (kColourBits - 1);
  for (std::int64_t x = 0; x < row.count; ++x) {
    const std::int32_t y = (row.luma[x * row.luma_step] - rule.luma_offset) * rule.luma + half;
    const std::int32_t u = row.u[(x >> 1) * row.chroma_step] - 128;
    const std::int32_t v = row.v[(x >> 1) * row.chroma_step] - 128;
    row.rgb[3 * x] = clip8((y + v * rule.red_v) >> kColourBits);
    row.rgb[3 * x + 1] = clip8((y + u * rule.green_u + v * rule.green_v) >> kColourBits);
    row.rgb[3 * x + 2] = clip8((y + u * rule.blue_u) >> kColourBits);
  }
}

void gray(const GrayRow& row) {
  const std::uint8_t* pixel = row.bytes;
  for (std::int64_t x = 0; x < row.count; ++x, pixel += row.step) {
    const int red = pixel[row.blue_first ? 2 : 0];
    const int blue = pixel[row.blue_first ? 0 : 2];
    row.out[x] = static_cast<std::uint8_t>(
        (red * kGrayWeights[0] + pixel[1] * kGrayWeights[1] + blue * kGrayWeights[2] + 0x8000) >>
        16);
  }
}

void unpack(const Unpack& row) {
  for (std::int64_t x = 0; x < row.count; ++x) {
    for (int c = 0; c < row.components; ++c) {
      row.levels[static_cast<std::size_t>(c)][x] =
          static_cast<float>(row.bytes[x * row.components + c]);
    }
  }
}

constexpr FrameKernels kScalar = {
    "scalar",          &vertical,       &arrange, &horizontal, &spread, &finish,
    &exact_horizontal, &exact_vertical, &colour,  &gray,       &unpack};

}  // namespace

std::array<std::uint8_t, 16> shuffle_of(std::int64_t step,
                                        const std::array<int, 4>& offsets) noexcept {
  std::array<std::uint8_t, 16> shuffle{};
  for (std::size_t byte = 0; byte < shuffle.size(); ++byte) {
    const std::size_t lane = byte / 4;
    const auto side = static_cast<std::int64_t>(byte / 2 % 2);
    // A lane that lies beyond the register belongs to an arrangement that does not store it.
    const auto value = std::min<std::int64_t>(side * step + offsets[lane], 7);
    shuffle[byte] = static_cast<std::uint8_t>(2 * value + static_cast<std::int64_t>(byte % 2));
  }
  return shuffle;
}

const FrameKernels& scalar_frame_kernels() noexcept { return kScalar; }

}  // namespace plait::detail
