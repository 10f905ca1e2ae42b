// frame_cases.cpp: the reference reads one pixel at a time and knows nothing of planes or passes.
#include "frame_cases.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "preprocess/frame.hpp"

namespace plait::testing_support {
namespace {

struct PlaneSize {
  std::int64_t row_bytes;
  std::int64_t rows;
};

std::vector<PlaneSize> plane_sizes(PixelFormat format, std::int64_t width, std::int64_t height) {
  switch (format) {
    case PixelFormat::kNV12:
    case PixelFormat::kNV21:
      return {{width, height}, {width, height / 2}};
    case PixelFormat::kI420:
      return {{width, height}, {width / 2, height / 2}, {width / 2, height / 2}};
    case PixelFormat::kYUYV:
    case PixelFormat::kUYVY:
    case PixelFormat::kGray16:
      return {{2 * width, height}};
    case PixelFormat::kRGB8:
    case PixelFormat::kBGR8:
      return {{3 * width, height}};
    case PixelFormat::kRGBA8:
    case PixelFormat::kBGRA8:
      return {{4 * width, height}};
    default:
      return {{width, height}};
  }
}

using Colour = std::array<double, 3>;

Colour rgb_of(const FrameDescription& description, double y, double u, double v) {
  double red = 0.2126;
  double blue = 0.0722;
  if (description.matrix == YuvMatrix::kBt601) red = 0.299, blue = 0.114;
  if (description.matrix == YuvMatrix::kBt2020) red = 0.2627, blue = 0.0593;
  const bool limited = description.range == YuvRange::kLimited;
  y = limited ? (y - 16.0) * 255.0 / 219.0 : y;
  u = (u - 128.0) * (limited ? 255.0 / 224.0 : 1.0);
  v = (v - 128.0) * (limited ? 255.0 / 224.0 : 1.0);
  const double r = y + 2.0 * (1.0 - red) * v;
  const double b = y + 2.0 * (1.0 - blue) * u;
  return {r, (y - red * r - blue * b) / (1.0 - red - blue), b};
}

Colour pixel(const FrameDescription& description, const Frame& frame, std::int64_t x,
             std::int64_t y) {
  const auto byte = [&](std::size_t plane, std::int64_t row, std::int64_t column) {
    const Plane& memory = frame.planes[plane];
    return static_cast<double>(std::to_integer<int>(memory.data[row * memory.stride + column]));
  };
  const std::int64_t even = x - x % 2;
  switch (frame.format) {
    case PixelFormat::kNV12:
      return rgb_of(description, byte(0, y, x), byte(1, y / 2, even), byte(1, y / 2, even + 1));
    case PixelFormat::kNV21:
      return rgb_of(description, byte(0, y, x), byte(1, y / 2, even + 1), byte(1, y / 2, even));
    case PixelFormat::kI420:
      return rgb_of(description, byte(0, y, x), byte(1, y / 2, x / 2), byte(2, y / 2, x / 2));
    case PixelFormat::kYUYV:
      return rgb_of(description, byte(0, y, 2 * x), byte(0, y, 2 * even + 1),
                    byte(0, y, 2 * even + 3));
    case PixelFormat::kUYVY:
      return rgb_of(description, byte(0, y, 2 * x + 1), byte(0, y, 2 * even),
                    byte(0, y, 2 * even + 2));
    case PixelFormat::kRGB8:
      return {byte(0, y, 3 * x), byte(0, y, 3 * x + 1), byte(0, y, 3 * x + 2)};
    case PixelFormat::kBGR8:
      return {byte(0, y, 3 * x + 2), byte(0, y, 3 * x + 1), byte(0, y, 3 * x)};
    case PixelFormat::kRGBA8:
      return {byte(0, y, 4 * x), byte(0, y, 4 * x + 1), byte(0, y, 4 * x + 2)};
    case PixelFormat::kBGRA8:
      return {byte(0, y, 4 * x + 2), byte(0, y, 4 * x + 1), byte(0, y, 4 * x)};
    default:
      return {byte(0, y, x), byte(0, y, x), byte(0, y, x)};
  }
}

double kernel(FrameFilter filter, double x) {
  const double a = std::abs(x);
  const auto sinc = [](double t) {
    return t == 0.0 ? 1.0 : std::sin(std::numbers::pi * t) / (std::numbers::pi * t);
  };
  switch (filter) {
    case FrameFilter::kBox:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case FrameFilter::kBicubic:
      if (a < 1.0) return 1.5 * a * a * a - 2.5 * a * a + 1.0;
      return a < 2.0 ? -0.5 * (a * a * a - 5.0 * a * a + 8.0 * a - 4.0) : 0.0;
    case FrameFilter::kLanczos:
      return a < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
    default:
      return std::max(0.0, 1.0 - a);
  }
}

double support(FrameFilter filter) {
  if (filter == FrameFilter::kBox) return 0.5;
  if (filter == FrameFilter::kBicubic) return 2.0;
  return filter == FrameFilter::kLanczos ? 3.0 : 1.0;
}

/// Weights of one output over all inputs.
std::vector<double> weights(FrameFilter filter, std::int64_t input, std::int64_t output,
                            std::int64_t position) {
  const double scale = static_cast<double>(input) / static_cast<double>(output);
  const double width = std::max(1.0, scale);
  const double centre = (static_cast<double>(position) + 0.5) * scale;
  const double reach = support(filter) * width;
  std::vector<double> row(static_cast<std::size_t>(input));
  double sum = 0.0;
  // Pillow's bounds and order of operations: a box decides ties by the last bit.
  const auto first = static_cast<std::size_t>(std::max(0.0, centre - reach + 0.5));
  const auto last = static_cast<std::size_t>(centre + reach + 0.5);
  for (std::size_t i = first; i < std::min(last, row.size()); ++i) {
    row[i] = kernel(filter, (static_cast<double>(i) - centre + 0.5) * (1.0 / width));
    sum += row[i];
  }
  for (double& weight : row) weight /= sum;
  return row;
}

}  // namespace

OwnedFrame random_frame(PixelFormat format, std::int64_t width, std::int64_t height,
                        std::mt19937& generator) {
  OwnedFrame owned;
  owned.frame.format = format;
  owned.frame.width = width;
  owned.frame.height = height;
  std::size_t plane = 0;
  for (const PlaneSize& size : plane_sizes(format, width, height)) {
    const auto stride = size.row_bytes + static_cast<std::int64_t>(generator() % 37);
    auto& memory = owned.memory.emplace_back(
        static_cast<std::size_t>(stride * (size.rows - 1) + size.row_bytes));
    for (std::byte& byte : memory) byte = static_cast<std::byte>(generator());
    owned.frame.planes[plane++] = {memory.data(), stride, memory.size()};
  }
  return owned;
}

ModalityDescription levels_of(FrameFilter filter, FrameArithmetic arithmetic, std::int64_t height,
                              std::int64_t width) {
  ModalityDescription modality;
  modality.name = "camera";
  modality.kind = "frame";
  FrameDescription& frame = modality.frame;
  frame.filter = filter;
  frame.arithmetic = arithmetic;
  frame.height = height;
  frame.width = width;
  frame.scale = 1.0F;
  frame.mean = {0.0F, 0.0F, 0.0F};
  frame.std = {1.0F, 1.0F, 1.0F};
  return modality;
}

std::vector<std::byte> prepared_bytes(const ModalityDescription& modality, const Frame& frame,
                                      const detail::FrameKernels& kernels,
                                      detail::ThreadPool* pool) {
  const auto preprocessor =
      detail::make_frame_preprocessor(modality, "test.plait, modality camera", pool, kernels);
  const auto scratch = preprocessor->make_scratch();
  Tensor out(preprocessor->input_dtype(), preprocessor->input_shape());
  preprocessor->prepare(frame, *scratch, out.view());
  const auto* data = static_cast<const std::byte*>(out.view().data);
  return {data, data + out.view().bytes()};
}

std::vector<float> prepared(const ModalityDescription& modality, const Frame& frame,
                            const detail::FrameKernels& kernels) {
  return elements<float>(prepared_bytes(modality, frame, kernels));
}

std::vector<double> reference(const FrameDescription& description, const Frame& frame) {
  Rectangle region = frame.region;
  if (region.width == 0) region = {0, 0, frame.width, frame.height};
  const std::int64_t pixels = description.height * description.width;
  std::vector<double> out(static_cast<std::size_t>(3 * pixels));
  for (std::int64_t y = 0; y < description.height; ++y) {
    const auto down = weights(description.filter, region.height, description.height, y);
    for (std::int64_t x = 0; x < description.width; ++x) {
      const auto across = weights(description.filter, region.width, description.width, x);
      Colour sum{};
      for (std::size_t i = 0; i < down.size(); ++i) {
        for (std::size_t j = 0; j < across.size() && down[i] != 0.0; ++j) {
          if (across[j] == 0.0) continue;
          const Colour colour = pixel(description, frame, region.x + static_cast<std::int64_t>(j),
                                      region.y + static_cast<std::int64_t>(i));
          for (std::size_t c = 0; c < 3; ++c) sum[c] += down[i] * across[j] * colour[c];
        }
      }
      for (std::size_t c = 0; c < 3; ++c) {
        out[c * static_cast<std::size_t>(pixels) +
            static_cast<std::size_t>(y * description.width + x)] = std::clamp(sum[c], 0.0, 255.0);
      }
    }
  }
  return out;
}

}  // namespace plait::testing_support
