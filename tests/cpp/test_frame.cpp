// test_frame.cpp: frames against float64, every target against the plain loops, bad input.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "frame_cases.hpp"
#include "plait/error.hpp"
#include "preprocess/frame.hpp"
#include "preprocess/frame_geometry.hpp"

namespace plait::detail {
namespace {

using testing_support::levels_of;
using testing_support::OwnedFrame;
using testing_support::prepared;
using testing_support::random_frame;

constexpr std::array kEightBit = {PixelFormat::kNV12, PixelFormat::kNV21,  PixelFormat::kI420,
                                  PixelFormat::kYUYV, PixelFormat::kUYVY,  PixelFormat::kRGB8,
                                  PixelFormat::kBGR8, PixelFormat::kRGBA8, PixelFormat::kBGRA8,
                                  PixelFormat::kGray8};
constexpr std::array kFilters = {FrameFilter::kBox, FrameFilter::kBilinear, FrameFilter::kBicubic,
                                 FrameFilter::kLanczos};

bool halves_chroma(PixelFormat format) { return format <= PixelFormat::kUYVY; }

std::int64_t between(std::mt19937& generator, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
}

/// A frame of a random size, odd where the format allows it, often with a region.
OwnedFrame any_frame(PixelFormat format, std::mt19937& generator) {
  const std::int64_t unit = halves_chroma(format) ? 2 : 1;
  const std::int64_t width = unit * between(generator, 1, 70);
  const std::int64_t height = unit * between(generator, 1, 50);
  OwnedFrame owned = random_frame(format, width, height, generator);
  if (between(generator, 0, 1) == 1) {
    Rectangle& region = owned.frame.region;
    region.x = unit * between(generator, 0, width / unit - 1);
    region.y = unit * between(generator, 0, height / unit - 1);
    region.width = unit * between(generator, 1, (width - region.x) / unit);
    region.height = unit * between(generator, 1, (height - region.y) / unit);
  }
  return owned;
}

class FrameFormats : public testing::TestWithParam<PixelFormat> {
 protected:
  void SetUp() override {
    seed_ = std::random_device{}();
    generator_.seed(seed_);
  }
  std::uint32_t seed_ = 0;
  std::mt19937 generator_;
};

TEST_P(FrameFormats, FastIsWithinATenthOfALevelOfTheFilterInFloat64) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (FrameFilter filter : kFilters) {
    for (YuvMatrix matrix : {YuvMatrix::kBt601, YuvMatrix::kBt709, YuvMatrix::kBt2020}) {
      auto modality = levels_of(filter, FrameArithmetic::kFast, between(generator_, 1, 40),
                                between(generator_, 1, 40));
      modality.frame.matrix = matrix;
      modality.frame.range = between(generator_, 0, 1) == 1 ? YuvRange::kFull : YuvRange::kLimited;
      const OwnedFrame owned = any_frame(GetParam(), generator_);
      const auto wanted = testing_support::reference(modality.frame, owned.frame);
      const auto got = prepared(modality, owned.frame, best_frame_kernels());
      ASSERT_EQ(got.size(), wanted.size());
      for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 0.1) << i;
    }
  }
}

TEST_P(FrameFormats, EveryTargetGivesTheBitsOfThePlainLoops) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (int round = 0; round < 24; ++round) {
    const auto filter = static_cast<FrameFilter>(between(generator_, 0, 4));
    const auto arithmetic = static_cast<FrameArithmetic>(round % 2);
    auto modality =
        levels_of(filter, arithmetic, between(generator_, 1, 60), between(generator_, 1, 90));
    modality.frame.layout = round % 3 == 0 ? FrameLayout::kNHWC : FrameLayout::kNCHW;
    modality.frame.channels = round % 5 == 0   ? FrameChannels::kGray
                              : round % 5 == 1 ? FrameChannels::kBGR
                                               : FrameChannels::kRGB;
    if (round % 5 == 0) modality.frame.mean = {3.5F};
    if (round % 5 == 0) modality.frame.std = {0.3F};
    const OwnedFrame owned = any_frame(GetParam(), generator_);
    const auto wanted = prepared(modality, owned.frame, scalar_frame_kernels());
    for (const FrameKernels* kernels : frame_kernels()) {
      ASSERT_EQ(prepared(modality, owned.frame, *kernels), wanted) << kernels->target;
    }
  }
}

TEST_P(FrameFormats, APlaneThatIsTooSmallIsRefused) {
  const auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 9, 7);
  for (std::size_t plane = 0; plane < 3; ++plane) {
    OwnedFrame owned = random_frame(GetParam(), 12, 8, generator_);
    Plane& memory = owned.frame.planes[plane];
    if (memory.data == nullptr) continue;
    const Plane kept = memory;
    memory.bytes -= 1;
    EXPECT_THROW(prepared(modality, owned.frame, best_frame_kernels()), SampleError);
    memory = kept;
    memory.data = nullptr;
    EXPECT_THROW(prepared(modality, owned.frame, best_frame_kernels()), SampleError);
    for (std::int64_t stride : {std::int64_t{-64}, std::int64_t{0}, std::int64_t{5}, INT64_MAX}) {
      memory = kept;
      memory.stride = stride;
      EXPECT_THROW(prepared(modality, owned.frame, best_frame_kernels()), SampleError) << stride;
    }
  }
}

TEST_P(FrameFormats, OnceWarmNothingIsAllocatedForTheSameSize) {
  for (FrameArithmetic arithmetic : {FrameArithmetic::kExact, FrameArithmetic::kFast}) {
    const auto modality = levels_of(FrameFilter::kBicubic, arithmetic, 21, 33);
    const auto preprocessor = make_frame_preprocessor(modality, "test");
    const auto scratch = preprocessor->make_scratch();
    Tensor out(DType::kFloat32, preprocessor->input_shape());
    const OwnedFrame owned = random_frame(GetParam(), 64, 48, generator_);
    const Sample sample = owned.frame;
    preprocessor->prepare(sample, *scratch, out.view());
    const testing_support::AllocationCounter counter;
    preprocessor->prepare(sample, *scratch, out.view());
    EXPECT_EQ(counter.count(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FrameFormats, testing::ValuesIn(kEightBit),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(Frame, AScratchFollowsAChangingSize) {
  std::mt19937 generator(3);
  const auto modality = levels_of(FrameFilter::kLanczos, FrameArithmetic::kFast, 20, 30);
  const auto preprocessor = make_frame_preprocessor(modality, "test");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  for (std::int64_t size : {5, 40, 9, 5}) {
    const OwnedFrame owned = random_frame(PixelFormat::kRGB8, size, size + 1, generator);
    preprocessor->prepare(owned.frame, *scratch, out.view());
    const auto span = out.view().as_span<float>();
    EXPECT_EQ(std::vector<float>(span.begin(), span.end()),
              prepared(modality, owned.frame, best_frame_kernels()));
  }
}

TEST(Frame, SameSizeKeepsEveryPixel) {
  std::mt19937 generator(4);
  const OwnedFrame owned = random_frame(PixelFormat::kBGR8, 31, 17, generator);
  for (FrameFilter filter : {FrameFilter::kNearest, FrameFilter::kBilinear, FrameFilter::kBicubic,
                             FrameFilter::kLanczos, FrameFilter::kBox}) {
    const auto modality = levels_of(filter, FrameArithmetic::kExact, 17, 31);
    const auto wanted = testing_support::reference(
        levels_of(FrameFilter::kBox, FrameArithmetic::kFast, 17, 31).frame, owned.frame);
    const auto got = prepared(modality, owned.frame, best_frame_kernels());
    EXPECT_EQ(std::vector<double>(got.begin(), got.end()), wanted);
  }
}

TEST(Frame, LetterboxCentresThePictureInItsBorder) {
  auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 12, 20);
  modality.frame.fit = FrameFit::kLetterbox;
  modality.frame.pad = 114.0F;
  const std::vector<std::byte> white(30 * 30, std::byte{255});
  Frame frame{.format = PixelFormat::kGray8, .width = 30, .height = 30};
  frame.planes[0] = {white.data(), 30, white.size()};
  const auto out = prepared(modality, frame, best_frame_kernels());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t x = i % 20;
    EXPECT_FLOAT_EQ(out[i], x >= 4 && x < 16 ? 255.0F : 114.0F) << i;
  }
}

TEST(Frame, ShortestSideKeepsTheAspectAndCropsTheCentre) {
  FrameDescription description;
  description.fit = FrameFit::kShortest;
  description.height = description.width = 256;
  description.crop_height = 224;
  description.crop_width = 223;
  const FrameGeometry wide = frame_geometry(description, 1080, 1920);
  EXPECT_EQ(wide.resized_height, 256);
  EXPECT_EQ(wide.resized_width, 455);
  EXPECT_EQ(wide.first_row, 16);
  EXPECT_EQ(wide.first_column, 116);
  EXPECT_EQ(frame_geometry(description, 1920, 1080).resized_height, 455);
  description.crop_width = 222;  // 233 columns are left over
  EXPECT_EQ(frame_geometry(description, 1080, 1920).first_column, 116);
  description.crop_width = 220;  // 235 columns: half is 117.5
  EXPECT_EQ(frame_geometry(description, 1080, 1920).first_column, 117);
  description.crop_rounding = CropRounding::kHalfEven;
  EXPECT_EQ(frame_geometry(description, 1080, 1920).first_column, 118);
}

TEST(Frame, DepthKeepsSixteenBits) {
  auto modality = levels_of(FrameFilter::kNearest, FrameArithmetic::kExact, 2, 2);
  modality.frame.channels = FrameChannels::kDepth;
  modality.frame.mean = {0.0F};
  modality.frame.std = {1.0F};
  modality.frame.scale = 0.001F;
  const std::vector<std::uint16_t> values = {1, 500, 40000, 65535};
  Frame frame{.format = PixelFormat::kGray16, .width = 2, .height = 2};
  frame.planes[0] = {reinterpret_cast<const std::byte*>(values.data()), 4, 8};
  for (FrameFilter filter : {FrameFilter::kNearest, FrameFilter::kBicubic}) {
    modality.frame.filter = filter;
    modality.frame.arithmetic = FrameArithmetic::kFast;
    const auto out = prepared(modality, frame, best_frame_kernels());
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_FLOAT_EQ(out[i], static_cast<float>(values[i]) * 0.001F);
    }
  }
}

TEST(Frame, SizesAndRegionsThatMakeNoSenseAreRefused) {
  std::mt19937 generator(6);
  const auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 8, 8);
  const OwnedFrame owned = random_frame(PixelFormat::kNV12, 12, 8, generator);
  const auto refused = [&](std::int64_t width, std::int64_t height, const Rectangle& region) {
    Frame frame = owned.frame;
    frame.width = width;
    frame.height = height;
    frame.region = region;
    EXPECT_THROW(prepared(modality, frame, best_frame_kernels()), SampleError)
        << width << " x " << height << ", region " << region.x << " " << region.y << " "
        << region.width << " " << region.height;
  };
  refused(0, 8, {});
  refused(12, -8, {});
  refused(INT64_MAX, 8, {});
  refused(11, 8, {});
  refused(12, 7, {});
  refused(12, 8, {-2, 0, 4, 4});
  refused(12, 8, {0, 0, 14, 8});
  refused(12, 8, {INT64_MAX, 0, 2, 2});
  refused(12, 8, {2, 2, INT64_MAX, INT64_MAX});
  refused(12, 8, {1, 0, 4, 4});
  refused(12, 8, {0, 0, 3, 4});
  refused(12, 8, {0, 0, 4, 0});
}

TEST(Frame, TheWrongKindOfSampleIsRefused) {
  std::mt19937 generator(7);
  const auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 8, 8);
  const OwnedFrame depth = random_frame(PixelFormat::kGray16, 12, 8, generator);
  EXPECT_THROW(prepared(modality, depth.frame, best_frame_kernels()), SampleError);
  const auto preprocessor = make_preprocessor(modality, "test");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  EXPECT_THROW(preprocessor->prepare(Signal{}, *scratch, out.view()), SampleError);
}

TEST(Frame, DescriptionsItCannotComputeAreRefused) {
  const auto good = levels_of(FrameFilter::kBilinear, FrameArithmetic::kExact, 8, 8);
  const auto refused = [&](auto change) {
    ModalityDescription modality = good;
    change(modality.frame);
    EXPECT_THROW(make_frame_preprocessor(modality, "test"), BundleError);
  };
  refused([](FrameDescription& frame) { frame.antialias = false; });
  refused([](FrameDescription& frame) { frame.mean = {0.0F}; });
  refused([](FrameDescription& frame) { frame.height = 0; });
  refused([](FrameDescription& frame) { frame.crop_height = frame.crop_width = 9; });
  refused([](FrameDescription& frame) { frame.fit = FrameFit::kShortest; });
  refused([](FrameDescription& frame) {
    frame.channels = FrameChannels::kDepth;
    frame.mean = {0.0F};
    frame.std = {1.0F};
  });
}

TEST(Frame, FormatNamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(PixelFormat::kGray16); ++i) {
    const auto format = static_cast<PixelFormat>(i);
    EXPECT_EQ(pixel_format_named(name_of(format)), format);
  }
  EXPECT_THROW(pixel_format_named("bgr"), ConfigError);
}

}  // namespace
}  // namespace plait::detail
