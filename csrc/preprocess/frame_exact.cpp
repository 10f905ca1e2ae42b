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

/// Buffers of one band: the rows under the vertical filter, in a ring.
struct ExactWorkspace {
  ByteRows input;
  std::vector<const std::uint8_t*> under_filter;
  std::vector<std::uint8_t> ring;
  std::vector<std::uint8_t> row;
  std::vector<float> levels;
};

class ExactResizer final : public FrameResizer {
 public:
  explicit ExactResizer(const ResizerRule& rule)
      : ExactResizer(rule,
                     exact_columns(filter_taps(
                         {rule.description->filter, true, rule.width, rule.geometry.resized_width,
                          rule.geometry.first_column, rule.geometry.columns}))) {}

  void run(const FrameView& view, const Band& band, std::byte* out) override {
    ExactWorkspace& work = workspaces_[band.index];
    std::int64_t ready = rows_.firsts[static_cast<std::size_t>(band.begin)];
    for (std::int64_t y = band.begin; y < band.end; ++y) {
      const std::int64_t first = rows_.firsts[static_cast<std::size_t>(y)];
      const std::int64_t count = rows_.counts[static_cast<std::size_t>(y)];
      for (; ready < first + count; ready += ByteRows::kSlots) narrow(view, work, ready);
      for (std::int64_t k = 0; k < count; ++k) {
        work.under_filter[static_cast<std::size_t>(k)] = ring_row(work, first + k);
      }
      kernels_.exact_vertical({.rows = work.under_filter.data(),
                               .count = count,
                               .weights = rows_.row(y),
                               .columns = row_bytes_,
                               .out = work.row.data()});
      write(work, y, out);
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
    for (std::size_t band = 0; band < rule.bands; ++band) {
      ExactWorkspace& work = workspaces_.emplace_back(ExactWorkspace{input_, {}, {}, {}, {}});
      work.under_filter.resize(static_cast<std::size_t>(rows_.widest));
      work.ring.resize(static_cast<std::size_t>(ring_rows_ * row_bytes_));
      work.row.resize(static_cast<std::size_t>(row_bytes_));
      work.levels.resize(static_cast<std::size_t>(3 * geometry_.columns));
    }
  }

  std::uint8_t* ring_row(ExactWorkspace& work, std::int64_t y) const {
    return work.ring.data() + y % ring_rows_ * row_bytes_;
  }

  /// The horizontal pass over input rows y ... y + 3; past the last row, that row again.
  void narrow(const FrameView& view, ExactWorkspace& work, std::int64_t y) const {
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
      pass.rows[s] = work.input.row(view, std::min(y + slot, last_row_), slot);
      pass.out[s] = ring_row(work, y + slot);
    }
    kernels_.exact_horizontal(pass);
  }

  void write(ExactWorkspace& work, std::int64_t y, std::byte* out) const {
    Unpack unpack{
        .bytes = work.row.data(), .components = input_.components(), .count = geometry_.columns};
    std::array<const float*, 3> levels{};
    for (int c = 0; c < input_.components(); ++c) {
      float* level = work.levels.data() + c * geometry_.columns;
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
  ByteRows input_;  // of which every band has a copy, with rows of its own
  RowWriter writer_;
  std::int64_t row_bytes_;
  std::int64_t ring_rows_;
  std::int64_t last_row_;
  std::vector<ExactWorkspace> workspaces_;  // one a band
};

}  // namespace

std::unique_ptr<FrameResizer> make_exact_resizer(const ResizerRule& rule) {
  return std::make_unique<ExactResizer>(rule);
}

}  // namespace plait::detail
