// frame_exact.cpp: Pillow's resize: 8-bit passes with 22-bit weights, horizontal first.
//
// Only the rows under the vertical filter are kept, in a ring; nothing of the frame's size is.
#include <algorithm>
#include <vector>

#include "preprocess/frame_rows.hpp"
#include "preprocess/frame_weights.hpp"

namespace plait::detail {
namespace {

/// Horizontal weights in the forms that ExactHorizontal takes, relative to the first input column.
struct ExactColumns {
  AxisTaps<std::int32_t> taps;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::vector<std::int32_t> firsts;
  std::vector<std::int32_t> counts;
  std::vector<std::int32_t> groups;
  std::int64_t widest_groups = 0;
  std::vector<std::int16_t> split;
};

ExactColumns exact_columns(const AxisTaps<double>& taps) {
  ExactColumns columns;
  columns.taps = exact_taps(taps);
  columns.begin = taps.begin();
  columns.end = taps.end();
  columns.widest_groups = (taps.widest + 3) / 4;
  columns.split.resize(
      static_cast<std::size_t>(taps.outputs() * columns.widest_groups * kExactGroup));
  for (std::int64_t x = 0; x < taps.outputs(); ++x) {
    const auto i = static_cast<std::size_t>(x);
    columns.firsts.push_back(static_cast<std::int32_t>(taps.firsts[i] - columns.begin));
    columns.counts.push_back(static_cast<std::int32_t>(taps.counts[i]));
    columns.groups.push_back(static_cast<std::int32_t>((taps.counts[i] + 3) / 4));
    std::int16_t* split = columns.split.data() + x * columns.widest_groups * kExactGroup;
    for (std::int64_t k = 0; k < taps.counts[i]; ++k) {
      const std::int32_t weight = columns.taps.row(x)[k];
      std::int16_t* group = split + k / 4 * kExactGroup + k % 4;
      group[0] = static_cast<std::int16_t>(weight >> kExactSplit);
      group[4] = static_cast<std::int16_t>(weight & ((1 << kExactSplit) - 1));
    }
  }
  return columns;
}

class ExactResizer final : public FrameResizer {
 public:
  explicit ExactResizer(const ResizerRule& rule)
      : ExactResizer(rule,
                     exact_columns(filter_taps(
                         {rule.description->filter, true, rule.width, rule.geometry.resized_width,
                          rule.geometry.first_column, rule.geometry.columns}))) {}

  void run(const FrameView& view, float* out) override {
    std::int64_t ready = rows_.begin();
    for (std::int64_t y = 0; y < geometry_.rows; ++y) {
      const std::int64_t first = rows_.firsts[static_cast<std::size_t>(y)];
      const std::int64_t count = rows_.counts[static_cast<std::size_t>(y)];
      for (; ready < first + count; ready += ByteRows::kSlots) narrow(view, ready);
      for (std::int64_t k = 0; k < count; ++k) {
        under_filter_[static_cast<std::size_t>(k)] = ring_row(first + k);
      }
      kernels_.exact_vertical({.rows = under_filter_.data(),
                               .count = count,
                               .weights = rows_.row(y),
                               .columns = row_bytes_,
                               .out = row_.data()});
      write(y, out);
    }
  }

 private:
  ExactResizer(const ResizerRule& rule, ExactColumns columns)
      : kernels_(*rule.kernels),
        geometry_(rule.geometry),
        columns_(std::move(columns)),
        rows_(exact_taps(
            filter_taps({rule.description->filter, true, rule.height, geometry_.resized_height,
                         geometry_.first_row, geometry_.rows}))),
        input_(rule, columns_.begin, columns_.end),
        writer_(*rule.description, input_.colours(), kernels_, geometry_.output_height,
                geometry_.output_width),
        row_bytes_(geometry_.columns * input_.components()),
        ring_rows_(rows_.widest + ByteRows::kSlots),
        last_row_(rows_.end() - 1) {
    under_filter_.resize(static_cast<std::size_t>(rows_.widest));
    ring_.resize(static_cast<std::size_t>(ring_rows_ * row_bytes_));
    row_.resize(static_cast<std::size_t>(row_bytes_));
    levels_.resize(static_cast<std::size_t>(3 * geometry_.columns));
  }

  std::uint8_t* ring_row(std::int64_t y) { return ring_.data() + y % ring_rows_ * row_bytes_; }

  /// The horizontal pass over input rows y ... y + 3; past the last row, that row again.
  void narrow(const FrameView& view, std::int64_t y) {
    ExactHorizontal pass{.readable = input_.readable(view),
                         .step = input_.step(),
                         .components = input_.components(),
                         .outputs = geometry_.columns,
                         .firsts = columns_.firsts.data(),
                         .groups = columns_.groups.data(),
                         .weights = columns_.taps.weights.data(),
                         .widest = columns_.taps.widest,
                         .counts = columns_.counts.data(),
                         .split = columns_.split.data(),
                         .widest_groups = columns_.widest_groups};
    for (int slot = 0; slot < ByteRows::kSlots; ++slot) {
      const auto s = static_cast<std::size_t>(slot);
      pass.rows[s] = input_.row(view, std::min(y + slot, last_row_), slot);
      pass.out[s] = ring_row(y + slot);
    }
    kernels_.exact_horizontal(pass);
  }

  void write(std::int64_t y, float* out) {
    Unpack unpack{
        .bytes = row_.data(), .components = input_.components(), .count = geometry_.columns};
    std::array<const float*, 3> levels{};
    for (int c = 0; c < input_.components(); ++c) {
      float* level = levels_.data() + c * geometry_.columns;
      unpack.levels[static_cast<std::size_t>(c)] = level;
      levels[input_.target(c)] = level;
    }
    kernels_.unpack(unpack);
    writer_.write(levels, geometry_.columns, geometry_.top + y, geometry_.left, out);
  }

  const FrameKernels& kernels_;
  FrameGeometry geometry_;
  ExactColumns columns_;
  AxisTaps<std::int32_t> rows_;
  ByteRows input_;
  RowWriter writer_;
  std::int64_t row_bytes_;
  std::int64_t ring_rows_;
  std::int64_t last_row_;
  std::vector<const std::uint8_t*> under_filter_;
  std::vector<std::uint8_t> ring_;
  std::vector<std::uint8_t> row_;
  std::vector<float> levels_;
};

}  // namespace

std::unique_ptr<FrameResizer> make_exact_resizer(const ResizerRule& rule) {
  return std::make_unique<ExactResizer>(rule);
}

}  // namespace plait::detail
