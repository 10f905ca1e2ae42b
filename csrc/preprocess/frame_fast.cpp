// frame_fast.cpp: a resize in one pass over the frame: vertical sums of bytes, then horizontal
// sums.
//
// Luma and chroma are filtered as they are stored, chroma with weights folded for its resolution,
// and become colours only at the output's size: a conversion is linear, so that filtering first
// gives the same and costs a fraction.
#include <algorithm>
#include <vector>

#include "preprocess/frame_colour.hpp"
#include "preprocess/frame_resizer.hpp"
#include "preprocess/frame_weights.hpp"

namespace plait::detail {
namespace {

/// Bits behind the point: of weights, of vertical sums, and of both passes together. 255 levels
/// (8 bits), a filter's overshoot (1 bit) and the sign leave 22; one more is kept in reserve.
constexpr int kMaxVerticalBits = 20;
constexpr int kMaxHorizontalBits = 17;
constexpr int kMaxSumBits = 6;
constexpr int kTotalBits = 21;

/// Horizontal taps as pairs, relative to the first input column.
struct PairTaps {
  std::int64_t widest = 0;
  std::vector<PairRange> ranges;
  std::vector<std::int16_t> weights;
};

PairTaps paired(const AxisTaps<std::int16_t>& taps, std::int64_t begin) {
  PairTaps pairs;
  pairs.widest = taps.widest / 2 + 1;
  pairs.weights.resize(static_cast<std::size_t>(taps.outputs() * pairs.widest * 2));
  for (std::int64_t x = 0; x < taps.outputs(); ++x) {
    const std::int64_t first = taps.firsts[static_cast<std::size_t>(x)] - begin;
    const std::int64_t count = taps.counts[static_cast<std::size_t>(x)];
    const std::int64_t odd = first % 2;
    std::copy_n(taps.row(x), count, pairs.weights.begin() + x * pairs.widest * 2 + odd);
    pairs.ranges.push_back(
        {static_cast<std::int32_t>(first / 2), static_cast<std::int32_t>((odd + count + 1) / 2)});
  }
  return pairs;
}

/// Buffers of one band.
struct FastWorkspace {
  std::vector<std::int16_t> column_sums;
  std::vector<std::int16_t> block;
  std::vector<std::int32_t> row_sums;
  std::vector<float> levels;
};

/// One component group of the format with its weights.
struct GroupPlan {
  ComponentGroup group;
  FastTaps vertical;
  PairTaps horizontal;
  std::int64_t begin = 0;    ///< first input column
  std::int64_t columns = 0;  ///< input columns
  int sum_bits = 0;
  float scale = 1.0F;      ///< from horizontal sums to levels
  std::int64_t lanes = 0;  ///< of one row: components, rounded up to 1, 2 or 4
  Arrangement arrangement;
};

class FastResizer final : public FrameResizer {
 public:
  explicit FastResizer(const ResizerRule& rule)
      : kernels_(*rule.kernels),
        geometry_(rule.geometry),
        writer_(*rule.description, colours(rule.format), kernels_, geometry_.output_height,
                geometry_.output_width) {
    const FormatFacts& facts = facts_of(rule.format);
    const FrameDescription& description = *rule.description;
    const auto rows = filter_taps({description.filter, description.antialias, rule.height,
                                   geometry_.resized_height, geometry_.first_row, geometry_.rows});
    const auto columns =
        filter_taps({description.filter, description.antialias, rule.width, geometry_.resized_width,
                     geometry_.first_column, geometry_.columns});
    // Gray out of luma and chroma is luma alone: the chroma is not even read.
    const bool luma_only = facts.luma_chroma && description.channels == FrameChannels::kGray;
    std::size_t sums = 0;
    std::size_t block = 0;
    for (int g = 0; g < (luma_only ? 1 : facts.groups); ++g) {
      plans_.push_back(plan(facts.group[static_cast<std::size_t>(g)], rows, columns));
      const GroupPlan& made = plans_.back();
      sums = std::max(sums, static_cast<std::size_t>(made.columns * made.group.step));
      block = std::max(block, static_cast<std::size_t>((made.columns + 1) / 2 * kBlockPair));
    }
    const auto lanes = static_cast<std::size_t>(geometry_.columns * kLanes);
    for (std::size_t band = 0; band < rule.bands; ++band) {
      FastWorkspace& work = workspaces_.emplace_back();
      work.column_sums.resize(sums + static_cast<std::size_t>(kSlack));
      work.block.resize(block);
      work.row_sums.resize(lanes);
      work.levels.resize(3 * lanes);
    }
    colours_ = luma_only ? 1 : colours_of(rule.format);
  }

  void run(const FrameView& view, const Band& band, std::byte* out) override {
    FastWorkspace& work = workspaces_[band.index];
    for (std::int64_t y = band.begin; y < band.end; y += kLanes) {
      const std::int64_t rows = std::min<std::int64_t>(kLanes, band.end - y);
      for (const GroupPlan& plan : plans_) {
        const std::int64_t rows_a_block = kLanes / plan.lanes;
        for (std::int64_t r = 0; r < rows; r += rows_a_block) {
          filter(view, plan, work, y, r, std::min(rows_a_block, rows - r));
        }
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        std::array<const float*, 3> levels{};
        for (int c = 0; c < colours_; ++c)
          levels[static_cast<std::size_t>(c)] = level_row(work, c, r);
        writer_.write(levels, geometry_.columns, geometry_.top + y + r, geometry_.left, out);
      }
    }
  }

 private:
  static LevelColours colours(PixelFormat format) {
    if (facts_of(format).luma_chroma) return LevelColours::kLumaChroma;
    return colours_of(format) == 3 ? LevelColours::kRedGreenBlue : LevelColours::kGray;
  }

  static GroupPlan plan(const ComponentGroup& group, const AxisTaps<double>& rows,
                        const AxisTaps<double>& columns) {
    GroupPlan plan;
    plan.group = group;
    plan.vertical = fast_taps(group.halved_rows != 0 ? fold_pairs(rows) : rows, kMaxVerticalBits);
    const FastTaps across =
        fast_taps(group.halved_columns != 0 ? fold_pairs(columns) : columns, kMaxHorizontalBits);
    plan.begin = across.taps.begin();
    plan.columns = across.taps.end() - plan.begin;
    plan.horizontal = paired(across.taps, plan.begin);
    plan.sum_bits = std::min({kMaxSumBits, kTotalBits - across.bits, plan.vertical.bits});
    plan.scale = 1.0F / static_cast<float>(1 << (plan.sum_bits + across.bits));
    plan.lanes = group.components == 3 ? 4 : group.components;
    Arrangement& row = plan.arrangement;
    row.pairs = (plan.columns + 1) / 2;
    row.step = group.step;
    row.lanes = plan.lanes;
    for (std::size_t c = 0; c < 3; ++c) row.offsets[c] = group.offsets[c];
    row.shuffle = shuffle_of(row.step, row.offsets);
    return plan;
  }

  float* level_row(FastWorkspace& work, int colour, std::int64_t row) const {
    return work.levels.data() + (colour * kLanes + row) * geometry_.columns;
  }

  /// Levels of rows y + r ... y + r + rows - 1 of the window, of one group.
  void filter(const FrameView& view, const GroupPlan& plan, FastWorkspace& work, std::int64_t y,
              std::int64_t r, std::int64_t rows) const {
    const auto p = static_cast<std::size_t>(plan.group.plane);
    Arrangement arrangement = plan.arrangement;
    arrangement.sums = work.column_sums.data();
    Spread spread{.sums = work.row_sums.data(), .outputs = geometry_.columns, .scale = plan.scale};
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t output = y + r + i;
      const auto& taps = plan.vertical.taps;
      const std::int64_t first = taps.firsts[static_cast<std::size_t>(output)];
      kernels_.vertical(
          {.rows = view.planes[p] + first * view.strides[p] + plan.begin * plan.group.step,
           .stride = view.strides[p],
           .count = taps.counts[static_cast<std::size_t>(output)],
           .weights = taps.row(output),
           .shift = plan.vertical.bits - plan.sum_bits,
           .columns = plan.columns * plan.group.step,
           .out = work.column_sums.data()});
      arrangement.block = work.block.data() + i * 2 * plan.lanes;
      kernels_.arrange(arrangement);
      for (int c = 0; c < plan.group.components; ++c) {
        const int colour = plan.group.targets[static_cast<std::size_t>(c)];
        spread.rows[static_cast<std::size_t>(i * plan.lanes + c)] = level_row(work, colour, r + i);
      }
    }
    kernels_.horizontal({.block = work.block.data(),
                         .ranges = plan.horizontal.ranges.data(),
                         .weights = plan.horizontal.weights.data(),
                         .widest = plan.horizontal.widest,
                         .outputs = geometry_.columns,
                         .sums = work.row_sums.data()});
    kernels_.spread(spread);
  }

  const FrameKernels& kernels_;
  FrameGeometry geometry_;
  RowWriter writer_;
  int colours_ = 3;
  std::vector<GroupPlan> plans_;
  std::vector<FastWorkspace> workspaces_;  // one a band
};

}  // namespace

std::unique_ptr<FrameResizer> make_fast_resizer(const ResizerRule& rule) {
  return std::make_unique<FastResizer>(rule);
}

}  // namespace plait::detail
