// manifest_frame.cpp: the section of a modality of kind "frame".
#include <algorithm>
#include <cmath>
#include <limits>

#include "bundle/manifest.hpp"
#include "bundle/manifest_kinds.hpp"

namespace plait::detail {
namespace {

constexpr float kMaxLevel = 65535.0F;

struct Size {
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// [height, width]
Size parse_size(const JsonReader& reader) {
  const std::vector<JsonReader> sides = reader.elements(2, 2);
  const Size size{sides[0].integer(1, kMaxSide), sides[1].integer(1, kMaxSide)};
  if (size.height * size.width > kMaxPixels) {
    reader.fail("at most " + std::to_string(kMaxPixels) + " pixels");
  }
  return size;
}

void parse_sensor(const JsonReader& reader, FrameDescription& frame) {
  frame.sensor_format = reader.field("format").choice<PixelFormat>({
      {"nv12", PixelFormat::kNV12},
      {"nv21", PixelFormat::kNV21},
      {"i420", PixelFormat::kI420},
      {"yuyv", PixelFormat::kYUYV},
      {"uyvy", PixelFormat::kUYVY},
      {"rgb8", PixelFormat::kRGB8},
      {"bgr8", PixelFormat::kBGR8},
      {"rgba8", PixelFormat::kRGBA8},
      {"bgra8", PixelFormat::kBGRA8},
      {"gray8", PixelFormat::kGray8},
      {"gray16", PixelFormat::kGray16},
  });
  frame.matrix = reader.field("matrix").choice<YuvMatrix>(
      {{"bt601", YuvMatrix::kBt601}, {"bt709", YuvMatrix::kBt709}, {"bt2020", YuvMatrix::kBt2020}});
  frame.range = reader.field("range").choice<YuvRange>(
      {{"limited", YuvRange::kLimited}, {"full", YuvRange::kFull}});
}

void parse_resize(const JsonReader& reader, FrameDescription& frame) {
  frame.fit = reader.field("fit").choice<FrameFit>({{"stretch", FrameFit::kStretch},
                                                    {"shortest", FrameFit::kShortest},
                                                    {"letterbox", FrameFit::kLetterbox}});
  const JsonReader size = reader.field("size");
  const auto [height, width] = parse_size(size);
  if (frame.fit == FrameFit::kShortest && height != width) {
    size.fail("the length of the shorter side, twice",
              std::to_string(height) + " and " + std::to_string(width));
  }
  frame.height = height;
  frame.width = width;
  frame.filter = reader.field("filter").choice<FrameFilter>({{"nearest", FrameFilter::kNearest},
                                                             {"box", FrameFilter::kBox},
                                                             {"bilinear", FrameFilter::kBilinear},
                                                             {"bicubic", FrameFilter::kBicubic},
                                                             {"lanczos", FrameFilter::kLanczos}});
  frame.antialias = reader.field("antialias").boolean();
  const auto pad = reader.optional_field("pad");
  frame.pad = pad ? static_cast<float>(pad->number(0.0, kMaxLevel)) : 0.0F;
}

void parse_crop(const JsonReader& reader, FrameDescription& frame) {
  const auto crop = reader.optional_field("crop");
  if (!crop) {
    if (frame.fit == FrameFit::kShortest) {
      reader.fail("a field \"crop\": the longer side differs from frame to frame",
                  "an object without it");
    }
    return;
  }
  if (frame.fit == FrameFit::kLetterbox) {
    crop->fail("no crop of a letterbox, which has the encoder's size already", "one");
  }
  const JsonReader reader_of_size = crop->field("size");
  const auto [height, width] = parse_size(reader_of_size);
  if (height > frame.height || width > frame.width) {
    reader_of_size.fail("a crop inside the resized frame");
  }
  frame.crop_height = height;
  frame.crop_width = width;
  frame.crop_rounding = crop->field("rounding")
                            .choice<CropRounding>({{"down", CropRounding::kDown},
                                                   {"half_even", CropRounding::kHalfEven}});
}

std::size_t channels_of(const FrameDescription& frame) {
  return frame.channels == FrameChannels::kRGB || frame.channels == FrameChannels::kBGR ? 3 : 1;
}

/// Exact arithmetic is Pillow's, which has no filter without antialiasing and none of 16 bits.
void check_arithmetic(const JsonReader& reader, const FrameDescription& frame) {
  const bool depth = frame.channels == FrameChannels::kDepth;
  if (depth != (frame.sensor_format == PixelFormat::kGray16)) {
    reader.field("channels")
        .fail("DEPTH with the sensor's format gray16, and only there",
              depth ? "DEPTH of another format" : "colours of gray16");
  }
  const bool exact = frame.arithmetic == FrameArithmetic::kExact;
  if (!exact || frame.filter == FrameFilter::kNearest) return;
  if (depth || !frame.antialias) {
    reader.field("arithmetic")
        .fail("fast, where a filter is not antialiased or its values have 16 bits", "exact");
  }
}

/// The element type of the encoder's input, which has to hold what levels become.
void parse_dtype(const JsonReader& reader, FrameDescription& frame) {
  const auto dtype = reader.optional_field("dtype");
  if (!dtype) return;
  frame.dtype = dtype->choice<DType>(
      {{"float32", DType::kFloat32}, {"float16", DType::kFloat16}, {"uint8", DType::kUInt8}});
  const bool depth = frame.channels == FrameChannels::kDepth;
  const float most = depth ? kMaxLevel : 255.0F;
  bool levels = !depth && frame.scale == 1.0F && frame.pad <= most;
  double largest = 0.0;
  for (std::size_t c = 0; c < frame.mean.size(); ++c) {
    const double mean = frame.mean[c];
    const double brightest = static_cast<double>(std::max(most, frame.pad)) * frame.scale;
    levels = levels && frame.mean[c] == 0.0F && frame.std[c] == 1.0F;
    largest = std::max(
        {largest, std::abs(mean / frame.std[c]), std::abs((brightest - mean) / frame.std[c])});
  }
  if (frame.dtype == DType::kUInt8 && !levels) {
    dtype->fail("uint8 of 8-bit levels as they are: scale 1, mean 0, std 1", "other values");
  }
  constexpr double kMostHalf = 65504.0;
  if (frame.dtype == DType::kFloat16 && largest > kMostHalf) {
    dtype->fail("values of at most 65504, the largest float16", "larger ones");
  }
}

}  // namespace

FrameDescription parse_frame(const JsonReader& reader) {
  FrameDescription frame;
  parse_sensor(reader.field("sensor"), frame);
  frame.channels = reader.field("channels")
                       .choice<FrameChannels>({{"RGB", FrameChannels::kRGB},
                                               {"BGR", FrameChannels::kBGR},
                                               {"GRAY", FrameChannels::kGray},
                                               {"DEPTH", FrameChannels::kDepth}});
  parse_resize(reader.field("resize"), frame);
  parse_crop(reader, frame);
  frame.arithmetic = reader.field("arithmetic")
                         .choice<FrameArithmetic>({{"exact", FrameArithmetic::kExact},
                                                   {"fast", FrameArithmetic::kFast}});
  check_arithmetic(reader, frame);
  frame.scale = static_cast<float>(reader.field("scale").number(std::numeric_limits<float>::min(),
                                                                std::numeric_limits<float>::max()));
  const std::size_t channels = channels_of(frame);
  frame.mean =
      parse_per_channel(reader.field("mean"), channels, std::numeric_limits<float>::lowest());
  // Dividing by less than the smallest normal number could overflow.
  frame.std = parse_per_channel(reader.field("std"), channels, std::numeric_limits<float>::min());
  frame.layout = reader.field("layout").choice<FrameLayout>(
      {{"NCHW", FrameLayout::kNCHW}, {"NHWC", FrameLayout::kNHWC}});
  parse_dtype(reader, frame);
  return frame;
}

std::vector<std::int64_t> input_shape(const FrameDescription& frame) {
  const auto channels = static_cast<std::int64_t>(channels_of(frame));
  const std::int64_t height = frame.crop_height > 0 ? frame.crop_height : frame.height;
  const std::int64_t width = frame.crop_width > 0 ? frame.crop_width : frame.width;
  if (frame.layout == FrameLayout::kNHWC) return {-1, height, width, channels};
  return {-1, channels, height, width};
}

}  // namespace plait::detail
