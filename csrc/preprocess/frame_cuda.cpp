// frame_cuda.cpp: lays the fast path's weights out for threads that stand side by side.
#include "preprocess/frame_cuda.hpp"

#include <algorithm>
#include <cstring>

#include "plait/error.hpp"
#include "preprocess/frame_geometry.hpp"
#include "preprocess/frame_groups.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t kTableAlignment = 16;
/// Of packed rows: the kernel then reads four bytes at a time.
constexpr std::int64_t kRowAlignment = 16;

std::int32_t narrow(std::int64_t value) noexcept { return static_cast<std::int32_t>(value); }

template <typename T>
std::vector<FrameTaps> taps_of(const AxisTaps<T>& axis) {
  std::vector<FrameTaps> taps;
  for (std::size_t i = 0; i < axis.firsts.size(); ++i) {
    taps.push_back({narrow(axis.firsts[i]), narrow(axis.counts[i])});
  }
  return taps;
}

std::vector<std::int16_t> transposed(const AxisTaps<std::int16_t>& axis) {
  std::vector<std::int16_t> weights(axis.weights.size());
  for (std::int64_t i = 0; i < axis.outputs(); ++i) {
    for (std::int64_t k = 0; k < axis.widest; ++k) {
      weights[static_cast<std::size_t>(k * axis.outputs() + i)] = axis.row(i)[k];
    }
  }
  return weights;
}

/// The pixels that the outputs of each tile read; a tile of border alone reads none.
std::vector<FrameTaps> tile_taps(const std::vector<FrameTaps>& columns,
                                 const FrameGeometry& geometry) {
  std::vector<FrameTaps> tiles;
  for (std::int64_t x = 0; x < geometry.output_width; x += kFrameTile) {
    const std::int64_t begin = std::max<std::int64_t>(0, x - geometry.left);
    const std::int64_t end = std::min(geometry.columns, x + kFrameTile - geometry.left);
    std::int32_t first = INT32_MAX;
    std::int32_t last = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const FrameTaps& taps = columns[static_cast<std::size_t>(i)];
      first = std::min(first, taps.first);
      last = std::max(last, taps.first + taps.count);
    }
    tiles.push_back(begin < end ? FrameTaps{first, last - first} : FrameTaps{0, 0});
  }
  return tiles;
}

void describe_output(const FrameDescription& description, const FrameGeometry& geometry,
                     FrameCudaCall& call) {
  call.rows = narrow(geometry.rows);
  call.columns = narrow(geometry.columns);
  call.top = narrow(geometry.top);
  call.left = narrow(geometry.left);
  call.output_height = narrow(geometry.output_height);
  call.output_width = narrow(geometry.output_width);
  call.channels_first = description.layout == FrameLayout::kNCHW ? 1 : 0;
  call.element_bytes = narrow(static_cast<std::int64_t>(size_of(description.dtype)));
}

void describe_finish(const FrameDescription& description, PixelFormat format, FrameCudaCall& call) {
  const FinishRule rule = finish_rule(description, level_colours(format));
  call.level_count = level_count(description, format);
  call.channels = rule.channels;
  call.maximum = rule.maximum;
  for (std::size_t c = 0; c < static_cast<std::size_t>(rule.channels); ++c) {
    std::copy(rule.matrix[c].begin(), rule.matrix[c].end(), call.matrix[c]);
    call.offset[c] = rule.offset[c];
    call.scale[c] = rule.scale[c];
    call.bias[c] = rule.bias[c];
    call.border[c] = border_value(description, c);
  }
}

}  // namespace

bool prepared_on_cuda(const FrameDescription& description) noexcept {
  return description.arithmetic == FrameArithmetic::kFast &&
         description.filter != FrameFilter::kNearest &&
         description.channels != FrameChannels::kDepth;
}

FrameCudaPlan::FrameCudaPlan(const FrameDescription& description, PixelFormat format,
                             std::int64_t height, std::int64_t width, const std::string& where)
    : format_(format), height_(height), width_(width), where_(where) {
  if (format == PixelFormat::kGray16) {
    throw SampleError({.where = where_,
                       .expected = "a frame of 8-bit pixels",
                       .got = std::string(name_of(format)),
                       .action = "Pass the stream that the bundle declares."});
  }
  const FrameGeometry geometry = frame_geometry(description, height, width);
  call_.version = kFrameCudaVersion;
  describe_output(description, geometry, call_);
  describe_finish(description, format, call_);
  for (const FastGroup& made : fast_groups(description, format, height, width, geometry)) {
    const ComponentGroup& group = made.group;
    FrameCudaGroup& to = call_.groups[call_.group_count++];
    to.plane = group.plane;
    to.components = group.components;
    to.step = group.step;
    std::copy(group.offsets.begin(), group.offsets.end(), to.offsets);
    std::copy(group.targets.begin(), group.targets.end(), to.targets);
    to.shift = made.shift();
    to.scale = made.scale;
    to.widest = narrow(made.vertical.taps.widest);
    const std::vector<FrameTaps> columns = taps_of(made.horizontal.taps);
    to.row_taps = add(taps_of(made.vertical.taps));
    to.row_weights = add(made.vertical.taps.weights);
    to.column_taps = add(columns);
    to.column_weights = add(transposed(made.horizontal.taps));
    to.tile_taps = add(tile_taps(columns, geometry));
    Rows& rows = planes_[static_cast<std::size_t>(group.plane)];
    if (rows.count > 0) continue;  // groups of one plane have rows of the same bytes
    rows.count = height >> group.halved_rows;
    rows.bytes = (width >> group.halved_columns) * group.step;
    rows.stride = (rows.bytes + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
    rows.begin = packed_bytes_;
    packed_bytes_ += static_cast<std::size_t>(rows.count * rows.stride);
  }
}

template <typename Value>
std::int64_t FrameCudaPlan::add(const std::vector<Value>& table) {
  const std::size_t begin =
      (tables_.size() + kTableAlignment - 1) / kTableAlignment * kTableAlignment;
  const std::size_t bytes = table.size() * sizeof(Value);
  tables_.resize(begin + bytes);
  std::memcpy(tables_.data() + begin, table.data(), bytes);
  return static_cast<std::int64_t>(begin);
}

void FrameCudaPlan::check(const FrameView& view) const {
  if (view.format == format_ && view.height == height_ && view.width == width_) return;
  const auto text = [](PixelFormat format, std::int64_t width, std::int64_t height) {
    return std::string(name_of(format)) + " of " + std::to_string(width) + " x " +
           std::to_string(height);
  };
  throw SampleError({.where = where_,
                     .expected = text(format_, width_, height_) + ", for which this plan is",
                     .got = text(view.format, view.width, view.height),
                     .action = ""});
}

FrameCudaCall FrameCudaPlan::call(const FrameView& view, const std::byte* tables, void* out) const {
  check(view);
  FrameCudaCall call = call_;
  std::copy(view.planes.begin(), view.planes.end(), call.planes);
  std::copy(view.strides.begin(), view.strides.end(), call.strides);
  call.tables = tables;
  call.out = out;
  return call;
}

FrameView FrameCudaPlan::pack(const FrameView& view, std::byte* packed,
                              const std::byte* on_device) const {
  check(view);
  FrameView there = view;
  for (std::size_t p = 0; p < planes_.size(); ++p) {
    const Rows& rows = planes_[p];
    const auto bytes = static_cast<std::size_t>(rows.bytes);
    for (std::int64_t y = 0; y < rows.count; ++y) {
      std::memcpy(packed + rows.begin + y * rows.stride, view.planes[p] + y * view.strides[p],
                  bytes);
    }
    there.planes[p] = reinterpret_cast<const std::uint8_t*>(on_device + rows.begin);
    there.strides[p] = rows.stride;
    there.readable[p] = rows.bytes;
  }
  return there;
}

}  // namespace plait::detail
