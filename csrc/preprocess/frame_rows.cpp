// frame_rows.cpp: finds or makes rows of 8-bit colours.
#include "preprocess/frame_rows.hpp"

#include <algorithm>

namespace plait::detail {

ByteRows::ByteRows(const ResizerRule& rule, std::int64_t begin, std::int64_t end)
    : kernels_(*rule.kernels),
      rule_(colour_rule(*rule.description)),
      begin_(begin),
      end_(end),
      gray_(rule.description->channels == FrameChannels::kGray) {
  const FormatFacts& facts = facts_of(rule.format);
  converted_ = facts.luma_chroma || (gray_ && colours_of(rule.format) == 3);
  if (!converted_) {
    components_ = facts.group[0].components;
    step_ = facts.group[0].step;
    targets_ = facts.group[0].targets;
    return;
  }
  components_ = step_ = gray_ ? 1 : 3;
  constexpr std::int32_t half = 1 << (kColourBits - 1);
  for (std::int32_t luma = 0; luma < 256; ++luma) {
    const std::int32_t scaled = (luma - rule_.luma_offset) * rule_.luma + half;
    grays_[static_cast<std::size_t>(luma)] =
        static_cast<std::uint8_t>(std::clamp(scaled >> kColourBits, 0, 255));
  }
  // One pixel before and after: chroma is shared by an even column and the odd one behind it.
  slot_bytes_ = (end - begin + 2) * step_ + kSlack;
  made_.resize(static_cast<std::size_t>(kSlots * slot_bytes_));
}

std::int64_t ByteRows::readable(const FrameView& view) const noexcept {
  return converted_ ? (end_ - begin_) * step_ + kSlack : view.readable[0] - begin_ * step_;
}

const std::uint8_t* ByteRows::row(const FrameView& view, std::int64_t y, int slot) {
  if (!converted_) return view.planes[0] + y * view.strides[0] + begin_ * step_;
  std::uint8_t* made = made_.data() + slot * slot_bytes_;
  convert(view, y, made);
  return facts_of(view.format).luma_chroma ? made + begin_ % 2 * step_ : made;
}

void ByteRows::convert(const FrameView& view, std::int64_t y, std::uint8_t* made) const {
  const FormatFacts& facts = facts_of(view.format);
  if (!facts.luma_chroma) {
    const ComponentGroup& group = facts.group[0];
    kernels_.gray({.bytes = view.planes[0] + y * view.strides[0] + begin_ * group.step,
                   .step = group.step,
                   .blue_first = group.targets[0] == 2,
                   .count = end_ - begin_,
                   .out = made});
    return;
  }
  const std::int64_t begin = begin_ - begin_ % 2;
  const std::int64_t end = end_ + end_ % 2;
  ColourRow row{.rule = &rule_, .count = end - begin, .rgb = made};
  for (int g = 0; g < facts.groups; ++g) {
    const ComponentGroup& group = facts.group[static_cast<std::size_t>(g)];
    const auto p = static_cast<std::size_t>(group.plane);
    const std::uint8_t* first = view.planes[p] + (y >> group.halved_rows) * view.strides[p] +
                                (begin >> group.halved_columns) * group.step;
    for (int c = 0; c < group.components; ++c) {
      const std::uint8_t* component = first + group.offsets[static_cast<std::size_t>(c)];
      const int target = group.targets[static_cast<std::size_t>(c)];
      (target == 0 ? row.luma : target == 1 ? row.u : row.v) = component;
    }
    (g == 0 ? row.luma_step : row.chroma_step) = group.step;
  }
  if (!gray_) return kernels_.colour(row);
  for (std::int64_t x = 0; x < row.count; ++x) made[x] = grays_[row.luma[x * row.luma_step]];
}

}  // namespace plait::detail
