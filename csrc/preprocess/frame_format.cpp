// frame_format.cpp: the table of pixel formats, and every check of a raw frame.
#include "preprocess/frame_format.hpp"

#include "base/quote.hpp"
#include "plait/error.hpp"

namespace plait {
namespace detail {
namespace {

constexpr ComponentGroup luma(int step, int offset) { return {0, 1, step, {offset}, {0}, 0, 0}; }

// In the order of PixelFormat.
constexpr std::array<FormatFacts, 11> kFormats = {{
    {"nv12", 2, 2, {{luma(1, 0), {1, 2, 2, {0, 1}, {1, 2}, 1, 1}}}, true, 1},
    {"nv21", 2, 2, {{luma(1, 0), {1, 2, 2, {0, 1}, {2, 1}, 1, 1}}}, true, 1},
    {"i420", 3, 3, {{luma(1, 0), {1, 1, 1, {0}, {1}, 1, 1}, {2, 1, 1, {0}, {2}, 1, 1}}}, true, 1},
    {"yuyv", 1, 2, {{luma(2, 0), {0, 2, 4, {1, 3}, {1, 2}, 1, 0}}}, true, 1},
    {"uyvy", 1, 2, {{luma(2, 1), {0, 2, 4, {0, 2}, {1, 2}, 1, 0}}}, true, 1},
    {"rgb8", 1, 1, {{{0, 3, 3, {0, 1, 2}, {0, 1, 2}, 0, 0}}}, false, 1},
    {"bgr8", 1, 1, {{{0, 3, 3, {0, 1, 2}, {2, 1, 0}, 0, 0}}}, false, 1},
    {"rgba8", 1, 1, {{{0, 3, 4, {0, 1, 2}, {0, 1, 2}, 0, 0}}}, false, 1},
    {"bgra8", 1, 1, {{{0, 3, 4, {0, 1, 2}, {2, 1, 0}, 0, 0}}}, false, 1},
    {"gray8", 1, 1, {{luma(1, 0)}}, false, 1},
    {"gray16", 1, 1, {{luma(2, 0)}}, false, 2},
}};

std::string pixels(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + " x " + std::to_string(height);
}

[[noreturn]] void refuse(const std::string& where, std::string expected, std::string got,
                         std::string action) {
  throw SampleError({.where = where,
                     .expected = std::move(expected),
                     .got = std::move(got),
                     .action = std::move(action)});
}

void check_size(const Frame& frame, const FormatFacts& facts, const std::string& where) {
  if (frame.width < 1 || frame.height < 1 || frame.width > kMaxFrameSide ||
      frame.height > kMaxFrameSide) {
    refuse(where, "a frame of 1 to " + std::to_string(kMaxFrameSide) + " pixels a side",
           pixels(frame.width, frame.height), "Pass the size the camera reports.");
  }
  for (int g = 0; g < facts.groups; ++g) {
    const ComponentGroup& group = facts.group[static_cast<std::size_t>(g)];
    if (frame.width % (1 + group.halved_columns) != 0 ||
        frame.height % (1 + group.halved_rows) != 0) {
      refuse(where, std::string("an even size, since ") + facts.name + " halves its chroma",
             pixels(frame.width, frame.height), "Crop the frame to an even size.");
    }
  }
}

Rectangle checked_region(const Frame& frame, const FormatFacts& facts, const std::string& where) {
  const Rectangle& region = frame.region;
  if (region.width == 0 && region.height == 0 && region.x == 0 && region.y == 0) {
    return {0, 0, frame.width, frame.height};
  }
  // Made only for a message, so that a region costs no allocation.
  const auto got = [&] {
    return pixels(region.width, region.height) + " at (" + std::to_string(region.x) + ", " +
           std::to_string(region.y) + ")";
  };
  // Compared by subtraction: a sum of two absurd numbers could overflow.
  if (region.x < 0 || region.y < 0 || region.width < 1 || region.height < 1 ||
      region.width > frame.width || region.height > frame.height ||
      region.x > frame.width - region.width || region.y > frame.height - region.height) {
    refuse(where, "a region inside the frame's " + pixels(frame.width, frame.height), got(),
           "Clip the region to the frame.");
  }
  for (int g = 0; g < facts.groups; ++g) {
    const ComponentGroup& group = facts.group[static_cast<std::size_t>(g)];
    const std::int64_t columns = 1 + group.halved_columns;
    const std::int64_t rows = 1 + group.halved_rows;
    if (region.x % columns != 0 || region.width % columns != 0 || region.y % rows != 0 ||
        region.height % rows != 0) {
      refuse(where, std::string("an even region, since ") + facts.name + " halves its chroma",
             got(), "Move the region's edges to even pixels.");
    }
  }
  return region;
}

}  // namespace

const FormatFacts& facts_of(PixelFormat format) noexcept {
  return kFormats[static_cast<std::size_t>(format)];
}

int colours_of(PixelFormat format) noexcept {
  return format == PixelFormat::kGray8 || format == PixelFormat::kGray16 ? 1 : 3;
}

FrameView checked_view(const Frame& frame, const std::string& where) {
  const FormatFacts& facts = facts_of(frame.format);
  check_size(frame, facts, where);
  const Rectangle region = checked_region(frame, facts, where);
  FrameView view{.format = frame.format, .width = region.width, .height = region.height};
  for (int g = 0; g < facts.groups; ++g) {
    const ComponentGroup& group = facts.group[static_cast<std::size_t>(g)];
    const auto p = static_cast<std::size_t>(group.plane);
    const Plane& plane = frame.planes[p];
    const std::int64_t rows = frame.height >> group.halved_rows;
    const std::int64_t row_bytes = (frame.width >> group.halved_columns) * group.step;
    const auto plane_text = [&] { return std::string(facts.name) + " plane " + std::to_string(p); };
    constexpr std::int64_t kMaxStride = std::int64_t{1} << 32;
    if (plane.stride < row_bytes || plane.stride > kMaxStride) {
      refuse(where,
             "a stride of at least " + std::to_string(row_bytes) + " bytes for " + plane_text(),
             std::to_string(plane.stride), "Pass the bytes from one row to the next.");
    }
    const std::int64_t needed = (rows - 1) * plane.stride + row_bytes;
    if (plane.data == nullptr || plane.bytes < static_cast<std::size_t>(needed)) {
      refuse(where,
             std::to_string(needed) + " bytes for " + plane_text() + " of " +
                 pixels(frame.width, frame.height),
             plane.data == nullptr ? "no memory" : std::to_string(plane.bytes) + " bytes",
             "Check format, size and strides against what the camera gives.");
    }
    const std::int64_t column = (region.x >> group.halved_columns) * group.step;
    view.planes[p] = reinterpret_cast<const std::uint8_t*>(plane.data) +
                     (region.y >> group.halved_rows) * plane.stride + column;
    view.strides[p] = plane.stride;
    view.readable[p] = row_bytes - column;
  }
  return view;
}

}  // namespace detail

std::string_view name_of(PixelFormat format) noexcept { return detail::facts_of(format).name; }

PixelFormat pixel_format_named(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < detail::kFormats.size(); ++i) {
    if (name == detail::kFormats[i].name) return static_cast<PixelFormat>(i);
    known += (known.empty() ? "" : ", ") + std::string(detail::kFormats[i].name);
  }
  throw ConfigError({.where = "pixel format",
                     .expected = "one of " + known,
                     .got = detail::quote(name),
                     .action = "Name the order in which the camera stores its pixels."});
}

}  // namespace plait
