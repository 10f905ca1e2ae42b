// fuzz_frame.cpp: any description with any frame is prepared, or refused with a typed error.
//
// The bytes choose a description and a few frames, mostly sensible ones with some absurd values. A
// plane owns exactly the bytes that it claims, so that the sanitizer sees any read behind them, and
// vector loops have to give what the plain ones give.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "plait/error.hpp"
#include "preprocess/frame.hpp"

namespace {

using plait::Frame;
using plait::FrameDescription;
using plait::ModalityDescription;
using plait::Rectangle;

constexpr std::int64_t kSide = 36;
constexpr std::int64_t kMostPlaneBytes = 1 << 14;
constexpr std::array<std::int64_t, 10> kAbsurd = {INT64_MIN,
                                                  -65536,
                                                  -1,
                                                  0,
                                                  65537,
                                                  std::int64_t{1} << 31,
                                                  (std::int64_t{1} << 32) + 1,
                                                  std::int64_t{1} << 40,
                                                  INT64_MAX - 1,
                                                  INT64_MAX};

class Maker {
 public:
  explicit Maker(FuzzedDataProvider& data) : data_(data) {}

  ModalityDescription description() {
    ModalityDescription modality;
    modality.name = "camera";
    modality.kind = "frame";
    FrameDescription& frame = modality.frame;
    frame.matrix = choice<plait::YuvMatrix>(2);
    frame.range = choice<plait::YuvRange>(1);
    frame.channels = choice<plait::FrameChannels>(3);
    frame.fit = choice<plait::FrameFit>(2);
    frame.height = length();
    frame.width = frame.fit == plait::FrameFit::kShortest && likely() ? frame.height : length();
    if (frame.fit == plait::FrameFit::kShortest ? likely() : !likely()) {
      frame.crop_height = likely() ? std::max<std::int64_t>(1, frame.height / 2) : length();
      frame.crop_width = likely() ? std::max<std::int64_t>(1, frame.width / 2) : length();
    }
    frame.crop_rounding = choice<plait::CropRounding>(1);
    frame.pad = data_.ConsumeFloatingPointInRange(0.0F, likely() ? 255.0F : 65535.0F);
    frame.filter = choice<plait::FrameFilter>(4);
    frame.arithmetic = choice<plait::FrameArithmetic>(1);
    frame.antialias = frame.arithmetic == plait::FrameArithmetic::kExact || likely();
    frame.layout = choice<plait::FrameLayout>(1);
    frame.dtype = data_.PickValueInArray({plait::DType::kFloat32, plait::DType::kFloat16,
                                          plait::DType::kUInt8, plait::DType::kInt64});
    const bool levels = frame.dtype == plait::DType::kUInt8 && likely();
    frame.scale = levels ? 1.0F : data_.ConsumeFloatingPointInRange(1e-6F, 2.0F);
    const bool single = frame.channels >= plait::FrameChannels::kGray;
    frame.mean.assign(single == likely() ? 1 : 3, levels ? 0.0F : 0.5F);
    frame.std.assign(frame.mean.size(), levels ? 1.0F : 0.25F);
    return modality;
  }

  /// A frame whose memory lives as long as this object.
  Frame frame() {
    Frame frame;
    frame.format = choice<plait::PixelFormat>(static_cast<int>(plait::PixelFormat::kGray16));
    frame.width = side();
    frame.height = side();
    std::minstd_rand noise(data_.ConsumeIntegral<std::uint32_t>());
    for (std::size_t p = 0; p < 3; ++p) {
      std::int64_t stride = 4 * std::clamp<std::int64_t>(frame.width, 1, kSide);
      if (likely()) stride += data_.ConsumeIntegralInRange(0, 40);
      frame.planes[p].stride = likely() ? stride : side();
      std::int64_t bytes = stride * std::clamp<std::int64_t>(frame.height, 1, kSide);
      if (!likely()) bytes = data_.ConsumeIntegralInRange<std::int64_t>(0, kMostPlaneBytes);
      frame.planes[p].bytes = static_cast<std::size_t>(bytes);
      auto memory = std::make_unique<std::byte[]>(frame.planes[p].bytes);
      for (std::int64_t i = 0; i < bytes; i += 4) {
        const std::uint32_t word = noise() * 3U;  // of which every byte varies
        std::memcpy(memory.get() + i, &word,
                    static_cast<std::size_t>(std::min<std::int64_t>(4, bytes - i)));
      }
      if (data_.ConsumeIntegralInRange(0, 31) != 0) frame.planes[p].data = memory.get();
      memory_.push_back(std::move(memory));
    }
    if (!likely()) frame.region = region(frame);
    return frame;
  }

  Rectangle region(const Frame& frame) {
    if (!likely()) return {side(), side(), side(), side()};
    const auto within = [&](std::int64_t most) {
      return data_.ConsumeIntegralInRange<std::int64_t>(0,
                                                        std::clamp<std::int64_t>(most, 0, kSide));
    };
    Rectangle region{2 * within(frame.width / 2), 2 * within(frame.height / 2), 0, 0};
    region.width = 2 * within((frame.width - region.x) / 2);
    region.height = 2 * within((frame.height - region.y) / 2);
    return region;
  }

  std::vector<Rectangle> regions(const Frame& frame) {
    std::vector<Rectangle> list(data_.ConsumeIntegralInRange<std::size_t>(0, 3));
    for (Rectangle& each : list) each = region(frame);
    return list;
  }

  bool likely() { return data_.ConsumeIntegralInRange(0, 15) != 0; }
  std::size_t frames() { return data_.ConsumeIntegralInRange<std::size_t>(1, 2); }

 private:
  template <typename Enum>
  Enum choice(int last) {
    return static_cast<Enum>(data_.ConsumeIntegralInRange(0, last));
  }
  std::int64_t absurd() { return data_.PickValueInArray(kAbsurd); }
  std::int64_t length() {
    return likely() ? data_.ConsumeIntegralInRange<std::int64_t>(1, kSide) : absurd();
  }
  std::int64_t side() {
    if (!likely()) return absurd();
    const auto half = data_.ConsumeIntegralInRange<std::int64_t>(1, kSide / 2);
    return likely() ? 2 * half : 2 * half - 1;
  }

  FuzzedDataProvider& data_;
  std::vector<std::unique_ptr<std::byte[]>> memory_;
};

/// One way of computing, with memory of exactly the size of what it writes.
class Contestant {
 public:
  Contestant(const ModalityDescription& modality, plait::detail::ThreadPool* pool,
             const plait::detail::FrameKernels& kernels)
      : preprocessor_(plait::detail::make_frame_preprocessor(modality, "fuzz", pool, kernels)),
        scratch_(preprocessor_->make_scratch()) {}

  std::vector<std::byte> prepare(const Frame& frame) {
    std::vector<std::byte> out(bytes());
    preprocessor_->prepare(
        frame, *scratch_, {out.data(), preprocessor_->input_dtype(), preprocessor_->input_shape()});
    return out;
  }

  std::vector<std::byte> prepare(const Frame& frame, const std::vector<Rectangle>& regions) {
    std::vector<std::byte> out(bytes() * regions.size());
    preprocessor_->regions()->prepare_regions(
        frame, regions, *scratch_,
        {out.data(), preprocessor_->input_dtype(), preprocessor_->input_shape()});
    return out;
  }

 private:
  std::size_t bytes() const {
    return static_cast<std::size_t>(preprocessor_->input_shape().elements()) *
           size_of(preprocessor_->input_dtype());
  }

  std::unique_ptr<plait::detail::Preprocessor> preprocessor_;
  std::unique_ptr<plait::detail::PrepareScratch> scratch_;
};

void check_parts(const plait::Error& error) {
  if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
}

/// Both give the same bytes, or refuse alike.
template <typename Run>
void compare(Contestant& vectors, Contestant& plain, Run run) {
  std::vector<std::byte> expected;
  try {
    expected = run(plain);
  } catch (const plait::SampleError& error) {
    check_parts(error);
    try {
      run(vectors);
      std::abort();
    } catch (const plait::SampleError&) {
      return;
    }
  }
  if (run(vectors) != expected) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static plait::detail::ThreadPool pool(2);
  FuzzedDataProvider data(bytes, size);
  Maker maker(data);
  const ModalityDescription modality = maker.description();
  try {
    Contestant vectors(modality, maker.likely() ? nullptr : &pool,
                       plait::detail::best_frame_kernels());
    Contestant plain(modality, nullptr, plait::detail::scalar_frame_kernels());
    for (std::size_t i = maker.frames(); i > 0; --i) {
      const Frame frame = maker.frame();
      compare(vectors, plain, [&](Contestant& each) { return each.prepare(frame); });
      const std::vector<Rectangle> regions = maker.regions(frame);
      compare(vectors, plain, [&](Contestant& each) { return each.prepare(frame, regions); });
    }
  } catch (const plait::BundleError& error) {
    check_parts(error);
  }
  return 0;
}
