// test_frame_outputs.cpp: element types of the encoder's input, rows shared out, several regions.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "base/half.hpp"
#include "frame_cases.hpp"
#include "plait/error.hpp"
#include "preprocess/frame.hpp"

namespace plait::detail {
namespace {

using testing_support::elements;
using testing_support::levels_of;
using testing_support::OwnedFrame;
using testing_support::prepared;
using testing_support::prepared_bytes;
using testing_support::random_frame;

constexpr std::array kFormats = {PixelFormat::kNV12, PixelFormat::kUYVY, PixelFormat::kBGR8,
                                 PixelFormat::kRGBA8, PixelFormat::kGray8};

class FrameOutputs : public testing::Test {
 protected:
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator_);
  }
  FrameArithmetic any_arithmetic() { return static_cast<FrameArithmetic>(between(0, 1)); }

  const std::uint32_t seed_ = std::random_device{}();
  std::mt19937 generator_{seed_};
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

/// IEEE 754's definition of a finite binary16.
double value_of_half(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST_F(FrameOutputs, HalfIsTheNearestAndOfTwoTheEven) {
  for (int round = 0; round < 200'000; ++round) {
    // Any exponent from far below the smallest half to just above the largest.
    const auto exponent = static_cast<std::uint32_t>(between(127 - 30, 127 + 15));
    const auto fraction = static_cast<std::uint32_t>(generator_()) & 0x7FFFFFU;
    const std::uint32_t sign = generator_() & 0x80000000U;
    const bool tie = round % 3 == 0;
    const float value = std::bit_cast<float>(sign | exponent << 23 |
                                             (tie ? (fraction & 0x7FE000U) | 0x1000U : fraction));
    const std::uint16_t half = half_of(value);
    if ((half & 0x7FFF) == kHalfInfinity) {
      ASSERT_GE(std::abs(value), 65520.0F);
      continue;
    }
    ASSERT_EQ((half & 0x8000) != 0, std::signbit(value));
    const double error = std::abs(value_of_half(half) - static_cast<double>(value));
    for (const int step : {-1, 1}) {
      const int neighbour = (half & 0x7FFF) + step;
      if (neighbour < 0 || neighbour >= kHalfInfinity) continue;
      const auto other = static_cast<std::uint16_t>(neighbour | (half & 0x8000));
      const double others = std::abs(value_of_half(other) - static_cast<double>(value));
      ASSERT_LE(error, others) << value;
      ASSERT_TRUE(error < others || half % 2 == 0) << value;
    }
  }
}

TEST_F(FrameOutputs, NarrowTypesAreTheFloatsRounded) {
  for (int round = 0; round < 60; ++round) {
    auto modality = levels_of(static_cast<FrameFilter>(between(0, 4)), any_arithmetic(),
                              between(1, 40), between(1, 70));
    FrameDescription& frame = modality.frame;
    frame.layout = round % 2 == 0 ? FrameLayout::kNHWC : FrameLayout::kNCHW;
    if (round % 3 == 0) frame.fit = FrameFit::kLetterbox, frame.pad = 113.5F;
    if (round % 4 == 0) frame.channels = FrameChannels::kGray, frame.mean = {0}, frame.std = {1};
    const OwnedFrame owned = random_frame(kFormats[static_cast<std::size_t>(round) % 5],
                                          2 * between(1, 40), 2 * between(1, 30), generator_);
    for (const FrameKernels* kernels : frame_kernels()) {
      frame.dtype = DType::kFloat32;
      const auto levels = prepared(modality, owned.frame, *kernels);
      frame.dtype = DType::kUInt8;
      const auto bytes =
          elements<std::uint8_t>(prepared_bytes(modality, owned.frame, *kernels, nullptr));
      frame.dtype = DType::kFloat16;
      const auto halves =
          elements<std::uint16_t>(prepared_bytes(modality, owned.frame, *kernels, nullptr));
      ASSERT_EQ(bytes.size(), levels.size());
      ASSERT_EQ(halves.size(), levels.size());
      for (std::size_t i = 0; i < levels.size(); ++i) {
        ASSERT_EQ(bytes[i], std::nearbyint(levels[i])) << kernels->target;
        ASSERT_EQ(halves[i], half_of(levels[i])) << kernels->target;
      }
    }
  }
}

TEST_F(FrameOutputs, AnElementTypeThatDoesNotHoldTheValuesIsRefused) {
  auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 8, 8);
  const auto refused = [&] {
    EXPECT_THROW(make_frame_preprocessor(modality, "test"), BundleError);
  };
  for (const DType dtype : {DType::kInt8, DType::kFloat64, DType::kInt64}) {
    modality.frame.dtype = dtype;
    refused();
  }
  modality.frame.dtype = DType::kUInt8;
  EXPECT_NO_THROW(make_frame_preprocessor(modality, "test"));
  modality.frame.mean[1] = 0.5F;
  refused();
  modality.frame.mean[1] = 0.0F;
  modality.frame.scale = 1.0F / 255.0F;
  refused();
  modality.frame.dtype = DType::kFloat16;
  modality.frame.std[2] = 1e-5F;
  refused();
}

TEST_F(FrameOutputs, RowsComeOutTheSameHoweverManyThreadsShareThem) {
  const OwnedFrame colour = random_frame(PixelFormat::kBGR8, 1001, 1103, generator_);
  const OwnedFrame video = random_frame(PixelFormat::kNV12, 1400, 1200, generator_);
  const OwnedFrame depth = random_frame(PixelFormat::kGray16, 1203, 901, generator_);
  ThreadPool two(2);
  ThreadPool five(5);
  for (const OwnedFrame* owned : {&colour, &video, &depth}) {
    for (int round = 0; round < 8; ++round) {
      const bool is_depth = owned == &depth;
      auto modality = levels_of(static_cast<FrameFilter>(between(0, 4)),
                                is_depth ? FrameArithmetic::kFast : any_arithmetic(),
                                between(1, 300), between(1, 400));
      if (is_depth) modality.frame.channels = FrameChannels::kDepth;
      if (is_depth) modality.frame.mean = {0.0F}, modality.frame.std = {1.0F};
      const auto alone = prepared_bytes(modality, owned->frame, best_frame_kernels(), nullptr);
      EXPECT_EQ(prepared_bytes(modality, owned->frame, best_frame_kernels(), &two), alone);
      EXPECT_EQ(prepared_bytes(modality, owned->frame, best_frame_kernels(), &five), alone);
    }
  }
}

/// [regions, ...] in one call, and each by itself.
struct RegionOutputs {
  std::vector<float> together;
  std::vector<float> alone;
};

RegionOutputs prepare_regions(const ModalityDescription& modality, const Frame& frame,
                              const std::vector<Rectangle>& regions, ThreadPool* pool) {
  const auto preprocessor = make_frame_preprocessor(modality, "test", pool);
  const auto scratch = preprocessor->make_scratch();
  const Shape one = preprocessor->input_shape();
  const auto count = static_cast<std::int64_t>(regions.size());
  Tensor out(DType::kFloat32, Shape{count, one[1], one[2], one[3]});
  preprocessor->regions()->prepare_regions(frame, regions, *scratch, out.view());
  RegionOutputs outputs;
  const auto span = out.view().as_span<float>();
  outputs.together.assign(span.begin(), span.end());
  for (const Rectangle& region : regions) {
    Frame part = frame;
    part.region = region;
    const auto single = prepared(modality, part, best_frame_kernels());
    outputs.alone.insert(outputs.alone.end(), single.begin(), single.end());
  }
  return outputs;
}

TEST_F(FrameOutputs, RegionsTogetherAreTheRegionsAlone) {
  ThreadPool pool(3);
  for (const PixelFormat format : kFormats) {
    const OwnedFrame owned = random_frame(format, 120, 94, generator_);
    for (const std::size_t count : {0, 1, 2, 7, 30}) {
      std::vector<Rectangle> regions;
      for (std::size_t i = 0; i < count; ++i) {
        Rectangle region{2 * between(0, 50), 2 * between(0, 40), 0, 0};
        region.width = 2 * between(1, (120 - region.x) / 2);
        region.height = 2 * between(1, (94 - region.y) / 2);
        regions.push_back(region);
      }
      auto modality = levels_of(FrameFilter::kBicubic, any_arithmetic(), 21, 17);
      modality.frame.fit = FrameFit::kLetterbox;
      for (ThreadPool* threads : {&pool, static_cast<ThreadPool*>(nullptr)}) {
        const RegionOutputs outputs = prepare_regions(modality, owned.frame, regions, threads);
        EXPECT_EQ(outputs.together, outputs.alone) << name_of(format) << ", " << count;
      }
    }
  }
}

TEST_F(FrameOutputs, RegionsAllocateNothingOnceWarm) {
  const OwnedFrame owned = random_frame(PixelFormat::kNV12, 120, 94, generator_);
  const auto modality = levels_of(FrameFilter::kLanczos, FrameArithmetic::kExact, 21, 17);
  ThreadPool pool(2);
  const auto preprocessor = make_frame_preprocessor(modality, "test", &pool);
  const auto scratch = preprocessor->make_scratch();
  std::vector<Rectangle> regions;
  for (std::int64_t i = 0; i < 5; ++i) regions.push_back({2 * i, 4 * i, 40 + 4 * i, 30});
  Tensor out(DType::kFloat32, Shape{5, 3, 21, 17});
  preprocessor->regions()->prepare_regions(owned.frame, regions, *scratch, out.view());
  const testing_support::AllocationCounter counter;
  preprocessor->regions()->prepare_regions(owned.frame, regions, *scratch, out.view());
  EXPECT_EQ(counter.count(), 0U);
}

TEST_F(FrameOutputs, ARegionOutsideTheFrameIsNamed) {
  const OwnedFrame owned = random_frame(PixelFormat::kRGB8, 40, 30, generator_);
  const auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 8, 8);
  const std::vector<Rectangle> regions = {{0, 0, 9, 9}, {32, 0, 9, 9}};
  try {
    prepare_regions(modality, owned.frame, regions, nullptr);
    FAIL() << "taken";
  } catch (const SampleError& error) {
    EXPECT_NE(error.parts().where.find("region 1"), std::string::npos) << error.what();
  }
}

TEST_F(FrameOutputs, SizesThatComeInTurnAreKept) {
  const auto modality = levels_of(FrameFilter::kBicubic, FrameArithmetic::kFast, 20, 30);
  const auto preprocessor = make_frame_preprocessor(modality, "test");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  std::vector<OwnedFrame> frames;
  std::vector<Sample> samples;
  for (std::int64_t side : {5, 40, 9, 31}) {
    frames.push_back(random_frame(PixelFormat::kRGB8, side, side + 1, generator_));
    samples.emplace_back(frames.back().frame);
  }
  for (const Sample& sample : samples) preprocessor->prepare(sample, *scratch, out.view());
  const testing_support::AllocationCounter counter;
  for (const Sample& sample : samples) preprocessor->prepare(sample, *scratch, out.view());
  EXPECT_EQ(counter.count(), 0U);
}

}  // namespace
}  // namespace plait::detail
