// frame_fast.cpp: a resize in one pass over the frame: vertical sums of bytes, then horizontal
// sums.
//
// Luma and chroma are filtered as they are stored, chroma with weights folded for its resolution,
// and become colours only at the output's size: a conversion is linear, so that filtering first
// gives the same and costs a fraction.
#include <algorithm>
#include <vector>

#include "preprocess/frame_colour.hpp"
#include "preprocess/frame_groups.hpp"
#include "preprocess/frame_resizer.hpp"

namespace plait::detail {
namespace {

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
  AxisTaps<std::int16_t> vertical;
  int shift = 0;  ///< of vertical sums
  PairTaps horizontal;
  std::int64_t begin = 0;    ///< first input column
  std::int64_t columns = 0;  ///< input columns
  float scale = 1.0F;        ///< from horizontal sums to levels
  std::int64_t lanes = 0;    ///< of one row: components, rounded up to 1, 2 or 4
  Arrangement arrangement;
};

class FastResizer final : public FrameResizer {
 public:
  explicit FastResizer(const ResizerRule& rule)
      : kernels_(*rule.kernels),
        geometry_(rule.geometry),
        writer_(*rule.description, level_colours(rule.format), kernels_, geometry_.output_height,
                geometry_.output_width),
        colours_(level_count(*rule.description, rule.format)) {
    std::size_t sums = 0;
    std::size_t block = 0;
    for (const FastGroup& group :
         fast_groups(*rule.description, rule.format, rule.height, rule.width, geometry_)) {
      plans_.push_back(plan(group));
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
  static GroupPlan plan(const FastGroup& made) {
    const ComponentGroup& group = made.group;
    GroupPlan plan;
    plan.group = group;
    plan.vertical = made.vertical.taps;
    plan.shift = made.shift();
    plan.begin = made.horizontal.taps.begin();
    plan.columns = made.horizontal.taps.end() - plan.begin;
    plan.horizontal = paired(made.horizontal.taps, plan.begin);
    plan.scale = made.scale;
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
      const auto& taps = plan.vertical;
      const std::int64_t first = taps.firsts[static_cast<std::size_t>(output)];
      kernels_.vertical(
          {.rows = view.planes[p] + first * view.strides[p] + plan.begin * plan.group.step,
           .stride = view.strides[p],
           .count = taps.counts[static_cast<std::size_t>(output)],
           .weights = taps.row(output),
           .shift = plan.shift,
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
  int colours_;
  std::vector<GroupPlan> plans_;
  std::vector<FastWorkspace> workspaces_;  // one a band
};

}  // namespace

std::unique_ptr<FrameResizer> make_fast_resizer(const ResizerRule& rule) {
  return std::make_unique<FastResizer>(rule);
}

}  // namespace plait::detail
