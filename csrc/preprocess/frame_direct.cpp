// frame_direct.cpp: nearest pixels of any format, and the float32 filters of 16-bit depth.
//
// Both read a small part of a frame or a frame of one component; plain loops are enough.
#include <algorithm>
#include <cstring>
#include <vector>

#include "preprocess/frame_rows.hpp"
#include "preprocess/frame_weights.hpp"

namespace plait::detail {
namespace {

float depth_at(const std::uint8_t* row, std::int64_t x) noexcept {
  std::uint16_t value = 0;
  std::memcpy(&value, row + 2 * x, sizeof(value));  // a row may begin at an odd address
  return static_cast<float>(value);
}

class NearestResizer final : public FrameResizer {
 public:
  explicit NearestResizer(const ResizerRule& rule)
      : geometry_(rule.geometry),
        depth_(rule.format == PixelFormat::kGray16),
        rows_(nearest_inputs({FrameFilter::kNearest, true, rule.height, geometry_.resized_height,
                              geometry_.first_row, geometry_.rows})),
        columns_(nearest_inputs({FrameFilter::kNearest, true, rule.width, geometry_.resized_width,
                                 geometry_.first_column, geometry_.columns})),
        input_(rule.bands, ByteRows(rule, columns_.front(), columns_.back() + 1)),
        writer_(*rule.description, input_.front().colours(), *rule.kernels, geometry_.output_height,
                geometry_.output_width),
        levels_(rule.bands, std::vector<float>(static_cast<std::size_t>(3 * geometry_.columns))) {}

  void run(const FrameView& view, const Band& band, std::byte* out) override {
    ByteRows& input = input_[band.index];
    const int components = input.components();
    for (std::int64_t y = band.begin; y < band.end; ++y) {
      const std::uint8_t* row = input.row(view, rows_[static_cast<std::size_t>(y)], 0);
      std::array<const float*, 3> levels{};
      for (int c = 0; c < components; ++c) {
        float* level = levels_[band.index].data() + c * geometry_.columns;
        levels[input.target(c)] = level;
        for (const std::int64_t column : columns_) {
          const std::int64_t x = column - columns_.front();
          *level++ = depth_ ? depth_at(row, x) : static_cast<float>(row[x * input.step() + c]);
        }
      }
      writer_.write(levels, geometry_.columns, geometry_.top + y, geometry_.left, out);
    }
  }

 private:
  FrameGeometry geometry_;
  bool depth_;
  std::vector<std::int64_t> rows_;
  std::vector<std::int64_t> columns_;
  std::vector<ByteRows> input_;  // one a band
  RowWriter writer_;
  std::vector<std::vector<float>> levels_;  // one a band
};

class DepthResizer final : public FrameResizer {
 public:
  explicit DepthResizer(const ResizerRule& rule)
      : geometry_(rule.geometry),
        rows_(filter_taps({rule.description->filter, rule.description->antialias, rule.height,
                           geometry_.resized_height, geometry_.first_row, geometry_.rows})),
        columns_(filter_taps({rule.description->filter, rule.description->antialias, rule.width,
                              geometry_.resized_width, geometry_.first_column, geometry_.columns})),
        begin_(columns_.begin()),
        writer_(*rule.description, LevelColours::kGray, *rule.kernels, geometry_.output_height,
                geometry_.output_width),
        workspaces_(rule.bands) {
    for (Workspace& work : workspaces_) {
      work.sums.resize(static_cast<std::size_t>(columns_.end() - begin_));
      work.levels.resize(static_cast<std::size_t>(geometry_.columns));
    }
  }

  void run(const FrameView& view, const Band& band, std::byte* out) override {
    auto& [column_sums, levels] = workspaces_[band.index];
    for (std::int64_t y = band.begin; y < band.end; ++y) {
      std::fill(column_sums.begin(), column_sums.end(), 0.0F);
      for (std::int64_t k = 0; k < rows_.counts[static_cast<std::size_t>(y)]; ++k) {
        const std::uint8_t* row =
            view.planes[0] + (rows_.firsts[static_cast<std::size_t>(y)] + k) * view.strides[0] +
            begin_ * 2;
        const auto weight = static_cast<float>(rows_.row(y)[k]);
        for (std::size_t x = 0; x < column_sums.size(); ++x) {
          column_sums[x] += weight * depth_at(row, static_cast<std::int64_t>(x));
        }
      }
      for (std::int64_t x = 0; x < geometry_.columns; ++x) {
        const float* sums =
            column_sums.data() + columns_.firsts[static_cast<std::size_t>(x)] - begin_;
        double level = 0.0;
        for (std::int64_t k = 0; k < columns_.counts[static_cast<std::size_t>(x)]; ++k) {
          level += columns_.row(x)[k] * static_cast<double>(sums[k]);
        }
        levels[static_cast<std::size_t>(x)] = static_cast<float>(level);
      }
      writer_.write({levels.data(), nullptr, nullptr}, geometry_.columns, geometry_.top + y,
                    geometry_.left, out);
    }
  }

 private:
  struct Workspace {
    std::vector<float> sums;
    std::vector<float> levels;
  };

  FrameGeometry geometry_;
  AxisTaps<double> rows_;
  AxisTaps<double> columns_;
  std::int64_t begin_;
  RowWriter writer_;
  std::vector<Workspace> workspaces_;  // one a band
};

}  // namespace

std::unique_ptr<FrameResizer> make_nearest_resizer(const ResizerRule& rule) {
  return std::make_unique<NearestResizer>(rule);
}

std::unique_ptr<FrameResizer> make_depth_resizer(const ResizerRule& rule) {
  return std::make_unique<DepthResizer>(rule);
}

}  // namespace plait::detail
