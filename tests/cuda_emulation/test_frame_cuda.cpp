// test_frame_cuda.cpp: the frame kernel, emulated or on a device, against the host's plain loops.
//
// Those are held to the filters in float64 by test_frame.cpp, so that equal bits hold the kernel to
// the same bound.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "frame_cases.hpp"
#include "plait/error.hpp"
#include "preprocess/frame.hpp"
#include "preprocess/frame_cuda.hpp"

namespace plait::detail {
namespace {

using testing_support::levels_of;
using testing_support::OwnedFrame;
using testing_support::prepared_bytes;
using testing_support::random_frame;

constexpr std::array kEightBit = {PixelFormat::kNV12, PixelFormat::kNV21,  PixelFormat::kI420,
                                  PixelFormat::kYUYV, PixelFormat::kUYVY,  PixelFormat::kRGB8,
                                  PixelFormat::kBGR8, PixelFormat::kRGBA8, PixelFormat::kBGRA8,
                                  PixelFormat::kGray8};
constexpr const char* kWhere = "test.plait, modality camera";

/// How a frame's memory comes to the kernel.
enum class Memory { kAsItLies, kPacked };

class FrameCuda : public testing::TestWithParam<PixelFormat> {
 protected:
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator_);
  }

  std::int64_t unit() const { return GetParam() <= PixelFormat::kUYVY ? 2 : 1; }

  /// Of a random size, odd where the format allows it, often with a region.
  OwnedFrame any_frame(std::int64_t most_width, std::int64_t most_height) {
    const std::int64_t width = unit() * between(1, most_width / unit());
    const std::int64_t height = unit() * between(1, most_height / unit());
    OwnedFrame owned = random_frame(GetParam(), width, height, generator_);
    if (between(0, 1) == 0) return owned;
    Rectangle& region = owned.frame.region;
    region.x = unit() * between(0, width / unit() - 1);
    region.y = unit() * between(0, height / unit() - 1);
    region.width = unit() * between(1, (width - region.x) / unit());
    region.height = unit() * between(1, (height - region.y) / unit());
    return owned;
  }

  void choose_fit(FrameDescription& frame) {
    frame.fit = static_cast<FrameFit>(between(0, 2));
    if (frame.fit == FrameFit::kShortest) frame.width = frame.height;
    if (frame.fit == FrameFit::kLetterbox) {
      frame.pad = static_cast<float>(between(0, 255));
    } else if (frame.fit == FrameFit::kShortest || between(0, 1) == 0) {
      frame.crop_height = between(1, frame.height);
      frame.crop_width = between(1, frame.width);
      frame.crop_rounding = static_cast<CropRounding>(between(0, 1));
    }
  }

  void choose_output(FrameDescription& frame) {
    constexpr std::array kTypes = {DType::kFloat32, DType::kFloat16, DType::kUInt8};
    frame.dtype = kTypes[static_cast<std::size_t>(between(0, 2))];
    frame.layout = static_cast<FrameLayout>(between(0, 1));
    frame.channels = static_cast<FrameChannels>(between(0, 2));
    frame.matrix = static_cast<YuvMatrix>(between(0, 2));
    frame.range = static_cast<YuvRange>(between(0, 1));
    const std::size_t channels = frame.channels == FrameChannels::kGray ? 1 : 3;
    frame.mean.assign(channels, 0.0F);
    frame.std.assign(channels, 1.0F);
    if (frame.dtype == DType::kUInt8) return;
    frame.scale = 1.0F / 255.0F;
    std::uniform_real_distribution<float> values(0.2F, 0.9F);
    for (float& mean : frame.mean) mean = values(generator_);
    for (float& std : frame.std) std = values(generator_);
  }

  ModalityDescription any_modality(FrameFilter filter, std::int64_t most) {
    auto modality = levels_of(filter, FrameArithmetic::kFast, between(1, most), between(1, most));
    modality.frame.antialias = between(0, 3) > 0;
    choose_fit(modality.frame);
    choose_output(modality.frame);
    return modality;
  }

  const std::uint32_t seed_ = std::random_device{}();
  std::mt19937 generator_{seed_};
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

/// Device memory of exactly so many bytes: emulated, a sanitizer sees an overrun.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::span<const std::byte> bytes) : bytes_(bytes.size()) {
    EXPECT_EQ(cudaMalloc(&memory_, bytes_), cudaSuccess);
    copy(memory_, bytes.data(), cudaMemcpyHostToDevice);
  }
  ~DeviceMemory() { (void)cudaFree(memory_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(memory_); }
  std::vector<std::byte> on_host() const {
    std::vector<std::byte> bytes(bytes_);
    copy(bytes.data(), memory_, cudaMemcpyDeviceToHost);
    return bytes;
  }

 private:
  void copy(void* to, const void* from, cudaMemcpyKind kind) const {
    EXPECT_EQ(cudaMemcpyAsync(to, from, bytes_, kind, nullptr), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  }
  void* memory_ = nullptr;
  std::size_t bytes_;
};

/// A frame's memory on the device, and the view of it there.
struct DeviceFrame {
  DeviceFrame(const FrameCudaPlan& plan, const Frame& frame, const FrameView& view, Memory how)
      : there(view) {
    if (how == Memory::kPacked) {
      std::vector<std::byte> packed(plan.packed_bytes());
      (void)plan.pack(view, packed.data(), nullptr);
      memory.push_back(std::make_unique<DeviceMemory>(packed));
      there = plan.pack(view, packed.data(), memory.front()->data());
      return;
    }
    for (std::size_t p = 0; p < frame.planes.size(); ++p) {
      const Plane& plane = frame.planes[p];
      if (plane.data == nullptr) continue;
      memory.push_back(std::make_unique<DeviceMemory>(std::span(plane.data, plane.bytes)));
      const auto* const base = reinterpret_cast<const std::uint8_t*>(plane.data);
      there.planes[p] =
          reinterpret_cast<const std::uint8_t*>(memory.back()->data()) + (view.planes[p] - base);
    }
  }
  std::vector<std::unique_ptr<DeviceMemory>> memory;
  FrameView there;
};

std::vector<std::byte> on_device(const ModalityDescription& modality, const Frame& frame,
                                 Memory how) {
  const FrameView view = checked_view(frame, kWhere);
  const FrameCudaPlan plan(modality.frame, view.format, view.height, view.width, kWhere);
  const DeviceMemory tables(plan.tables());
  const DeviceFrame uploaded(plan, frame, view, how);
  const auto preprocessor = make_frame_preprocessor(modality, kWhere);
  const auto elements = static_cast<std::size_t>(preprocessor->input_shape().elements());
  const DeviceMemory out(
      std::vector<std::byte>(elements * size_of(preprocessor->input_dtype()), std::byte{0xA5}));
  const FrameCudaCall call = plan.call(uploaded.there, tables.data(), out.data());
  EXPECT_EQ(plait_cuda_prepare_frame(&call, nullptr), nullptr);
  return out.on_host();
}

TEST_P(FrameCuda, TheKernelGivesTheBitsOfThePlainLoops) {
  for (const FrameFilter filter :
       {FrameFilter::kBox, FrameFilter::kBilinear, FrameFilter::kBicubic, FrameFilter::kLanczos}) {
    for (const Memory memory : {Memory::kAsItLies, Memory::kPacked}) {
      for (int round = 0; round < 4; ++round) {
        const auto modality = any_modality(filter, 24);
        const OwnedFrame owned = any_frame(60, 40);
        const auto wanted = prepared_bytes(modality, owned.frame, scalar_frame_kernels());
        ASSERT_EQ(on_device(modality, owned.frame, memory), wanted)
            << "filter " << static_cast<int>(filter) << ", fit "
            << static_cast<int>(modality.frame.fit) << ", type " << name_of(modality.frame.dtype);
      }
    }
  }
}

TEST_P(FrameCuda, RowsOfManyTilesAndSumsOfManyPiecesDoToo) {
  auto modality = any_modality(FrameFilter::kBilinear, 3);
  modality.frame.fit = FrameFit::kLetterbox;
  modality.frame.crop_height = modality.frame.crop_width = 0;
  modality.frame.height = 3;
  modality.frame.width = 128 + between(1, 200);  // a wide frame leaves no border, a high one much
  const OwnedFrame high = random_frame(GetParam(), 2, 2 * between(1, 4), generator_);
  EXPECT_EQ(on_device(modality, high.frame, Memory::kAsItLies),
            prepared_bytes(modality, high.frame, scalar_frame_kernels()));
  modality.frame.fit = FrameFit::kStretch;
  modality.frame.width = 1 + between(1, 2);
  const OwnedFrame wide = random_frame(GetParam(), 9000 + 2 * between(0, 500), 2, generator_);
  for (const Memory memory : {Memory::kAsItLies, Memory::kPacked}) {
    EXPECT_EQ(on_device(modality, wide.frame, memory),
              prepared_bytes(modality, wide.frame, scalar_frame_kernels()));
  }
}

INSTANTIATE_TEST_SUITE_P(All, FrameCuda, testing::ValuesIn(kEightBit),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(FrameCudaPlans, FramesOfAnotherSizeOrFormatAreRefused) {
  std::mt19937 generator(5);
  const auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 5, 7);
  const FrameCudaPlan plan(modality.frame, PixelFormat::kNV12, 10, 12, kWhere);
  std::vector<std::byte> packed(plan.packed_bytes());
  for (const OwnedFrame& other : {random_frame(PixelFormat::kNV12, 12, 8, generator),
                                  random_frame(PixelFormat::kNV12, 10, 10, generator),
                                  random_frame(PixelFormat::kNV21, 12, 10, generator)}) {
    const FrameView view = checked_view(other.frame, kWhere);
    EXPECT_THROW((void)plan.call(view, nullptr, nullptr), SampleError);
    EXPECT_THROW((void)plan.pack(view, packed.data(), nullptr), SampleError);
  }
  EXPECT_THROW(FrameCudaPlan(modality.frame, PixelFormat::kGray16, 10, 12, kWhere), SampleError);
}

TEST(FrameCudaPlans, ACallOfAnotherVersionIsNotLaunched) {
  FrameCudaCall call{};
  call.version = kFrameCudaVersion + 1;
  EXPECT_STREQ(plait_cuda_prepare_frame(&call, nullptr),
               "libplait_cuda of another version of Plait");
}

TEST(FrameCudaPlans, OnlyFastArithmeticOnColoursIsForTheKernel) {
  FrameDescription description;
  EXPECT_TRUE(prepared_on_cuda(description));
  description.arithmetic = FrameArithmetic::kExact;
  EXPECT_FALSE(prepared_on_cuda(description));
  description.arithmetic = FrameArithmetic::kFast;
  description.filter = FrameFilter::kNearest;
  EXPECT_FALSE(prepared_on_cuda(description));
  description.filter = FrameFilter::kBox;
  description.channels = FrameChannels::kDepth;
  EXPECT_FALSE(prepared_on_cuda(description));
}

TEST(FrameCudaPlans, GrayOutOfLumaAndChromaNeedsNoChroma) {
  auto modality = levels_of(FrameFilter::kBilinear, FrameArithmetic::kFast, 5, 7);
  modality.frame.channels = FrameChannels::kGray;
  modality.frame.mean = {0.0F};
  modality.frame.std = {1.0F};
  const FrameCudaPlan plan(modality.frame, PixelFormat::kI420, 32, 64, kWhere);
  EXPECT_EQ(plan.packed_bytes(), 32U * 64U);
}

}  // namespace
}  // namespace plait::detail
