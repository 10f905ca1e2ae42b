// frame_colour.cpp: the standards' matrices, and the order and units of the encoder's channels.
#include "preprocess/frame_colour.hpp"

#include <array>
#include <cmath>

namespace plait::detail {
namespace {

/// Red and blue's share of luma.
struct Primaries {
  double red;
  double blue;
};

Primaries primaries_of(YuvMatrix matrix) {
  switch (matrix) {
    case YuvMatrix::kBt601:
      return {0.299, 0.114};
    case YuvMatrix::kBt2020:
      return {0.2627, 0.0593};
    default:
      return {0.2126, 0.0722};
  }
}

/// level = luma * (Y - luma_offset) + factors * (U - 128, V - 128).
struct Standard {
  double luma;
  double luma_offset;
  double red_v;
  double green_u;
  double green_v;
  double blue_u;
};

Standard standard_of(const FrameDescription& description) {
  const Primaries share = primaries_of(description.matrix);
  const double green = 1.0 - share.red - share.blue;
  const bool limited = description.range == YuvRange::kLimited;
  const double luma = limited ? 255.0 / 219.0 : 1.0;
  const double chroma = limited ? 255.0 / 224.0 : 1.0;
  return {.luma = luma,
          .luma_offset = limited ? 16.0 : 0.0,
          .red_v = 2.0 * (1.0 - share.red) * chroma,
          .green_u = -2.0 * (1.0 - share.blue) * share.blue / green * chroma,
          .green_v = -2.0 * (1.0 - share.red) * share.red / green * chroma,
          .blue_u = 2.0 * (1.0 - share.blue) * chroma};
}

using Matrix = std::array<std::array<double, 4>, 3>;  // rows: red, green, blue; last: the offset

Matrix matrix_to_rgb(const FrameDescription& description, LevelColours colours) {
  if (colours == LevelColours::kRedGreenBlue) return {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  if (colours == LevelColours::kGray) return {{{1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}}};
  const Standard s = standard_of(description);
  const double y = -s.luma * s.luma_offset;
  return {{{s.luma, 0.0, s.red_v, y - 128.0 * s.red_v},
           {s.luma, s.green_u, s.green_v, y - 128.0 * (s.green_u + s.green_v)},
           {s.luma, s.blue_u, 0.0, y - 128.0 * s.blue_u}}};
}

/// One row: the gray of the colours at hand, which of luma and chroma is luma alone.
std::array<double, 4> row_to_gray(const FrameDescription& description, LevelColours colours) {
  if (colours == LevelColours::kGray) return {1, 0, 0, 0};
  if (colours == LevelColours::kLumaChroma) {
    const Standard s = standard_of(description);
    return {s.luma, 0, 0, -s.luma * s.luma_offset};
  }
  return {0.299, 0.587, 0.114, 0};
}

std::int32_t fixed(double factor) {
  return static_cast<std::int32_t>(std::lround(factor * (1 << kColourBits)));
}

}  // namespace

FinishRule finish_rule(const FrameDescription& description, LevelColours colours) {
  FinishRule rule;
  rule.dtype = description.dtype;
  const bool single =
      description.channels == FrameChannels::kGray || description.channels == FrameChannels::kDepth;
  rule.channels = single ? 1 : 3;
  rule.maximum = description.channels == FrameChannels::kDepth ? 65535.0F : 255.0F;
  const Matrix rgb = matrix_to_rgb(description, colours);
  for (int channel = 0; channel < rule.channels; ++channel) {
    const auto c = static_cast<std::size_t>(channel);
    const bool reversed = description.channels == FrameChannels::kBGR;
    const auto row = single ? row_to_gray(description, colours) : rgb[reversed ? 2 - c : c];
    for (std::size_t k = 0; k < 3; ++k) rule.matrix[c][k] = static_cast<float>(row[k]);
    rule.offset[c] = static_cast<float>(row[3]);
    const double inverse_std = 1.0 / static_cast<double>(description.std[c]);
    rule.scale[c] = static_cast<float>(static_cast<double>(description.scale) * inverse_std);
    rule.bias[c] = static_cast<float>(-static_cast<double>(description.mean[c]) * inverse_std);
  }
  return rule;
}

float border_value(const FrameDescription& description, std::size_t channel) noexcept {
  return (description.pad * description.scale - description.mean[channel]) /
         description.std[channel];
}

ColourRule colour_rule(const FrameDescription& description) {
  const Standard s = standard_of(description);
  return {.luma = fixed(s.luma),
          .luma_offset = static_cast<std::int32_t>(s.luma_offset),
          .red_v = fixed(s.red_v),
          .green_u = fixed(s.green_u),
          .green_v = fixed(s.green_v),
          .blue_u = fixed(s.blue_u)};
}

RowWriter::RowWriter(const FrameDescription& description, LevelColours colours,
                     const FrameKernels& kernels, std::int64_t output_height,
                     std::int64_t output_width)
    : rule_(finish_rule(description, colours)),
      kernels_(kernels),
      channels_first_(description.layout == FrameLayout::kNCHW),
      height_(output_height),
      width_(output_width) {}

void RowWriter::write(std::array<const float*, 3> levels, std::int64_t count, std::int64_t y,
                      std::int64_t x, std::byte* out) const {
  FinishRow row{.rule = &rule_, .levels = levels, .count = count};
  for (auto& colour : row.levels) {
    if (colour == nullptr) colour = levels[0];
  }
  const auto bytes = static_cast<std::int64_t>(size_of(rule_.dtype));
  for (int channel = 0; channel < rule_.channels; ++channel) {
    const std::int64_t pixel = y * width_ + x;
    const std::int64_t element =
        channels_first_ ? channel * height_ * width_ + pixel : pixel * rule_.channels + channel;
    row.out[static_cast<std::size_t>(channel)] = out + element * bytes;
  }
  row.step = channels_first_ ? 1 : rule_.channels;
  kernels_.finish(row);
}

}  // namespace plait::detail
