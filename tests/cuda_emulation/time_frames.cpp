// time_frames.cpp: what preparing a camera's frame costs on a CUDA device, and on the host.
//
//   plait_frame_cuda_times ROUNDS      prints one JSON array
//
// device_us is the kernel alone, of a frame that is there; staged_us begins with the frame in the
// host's memory and ends with the encoder's input on the device; host_us is the fast path on one
// thread. Medians, interleaved. scripts/gpu_check builds and runs it; emulated
// times mean nothing.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "preprocess/frame.hpp"
#include "preprocess/frame_cuda.hpp"

namespace plait::detail {
namespace {

using Clock = std::chrono::steady_clock;

void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) { check(cudaMalloc(&memory_, bytes)); }
  ~DeviceMemory() { (void)cudaFree(memory_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  void* memory_ = nullptr;
};

class HostMemory {
 public:
  explicit HostMemory(std::size_t bytes) { check(cudaHostAlloc(&memory_, bytes, 0)); }
  ~HostMemory() { (void)cudaFreeHost(memory_); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  void* memory_ = nullptr;
};

struct Case {
  const char* name;
  std::int64_t width;
  std::int64_t height;
  std::int64_t side;  // of the encoder's input
  FrameFit fit;
};
constexpr Case kCases[] = {{"1080p nv12 -> 224", 1920, 1080, 224, FrameFit::kStretch},
                           {"1080p nv12 -> 640 letterbox", 1920, 1080, 640, FrameFit::kLetterbox},
                           {"4K nv12 -> 224", 3840, 2160, 224, FrameFit::kStretch}};

ModalityDescription camera(const Case& wanted) {
  ModalityDescription modality;
  modality.kind = "frame";
  modality.frame.fit = wanted.fit;
  modality.frame.height = modality.frame.width = wanted.side;
  modality.frame.mean = {0.485F, 0.456F, 0.406F};
  modality.frame.std = {0.229F, 0.224F, 0.225F};
  modality.frame.dtype = DType::kFloat16;
  return modality;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <typename Work>
double microseconds(const Work& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

/// One case's line of the array. Throws where the device's answer is not the host's.
std::string measured(const Case& wanted, int rounds) {
  const ModalityDescription modality = camera(wanted);
  const auto preprocessor = make_frame_preprocessor(modality, wanted.name);
  const auto scratch = preprocessor->make_scratch();
  Tensor by_host(preprocessor->input_dtype(), preprocessor->input_shape());
  const auto pixels = static_cast<std::size_t>(wanted.width * wanted.height);
  std::vector<std::byte> bytes(pixels / 2 * 3);
  std::mt19937 generator(std::random_device{}());
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(generator());
  Frame frame{.format = PixelFormat::kNV12, .width = wanted.width, .height = wanted.height};
  frame.planes[0] = {bytes.data(), wanted.width, pixels};
  frame.planes[1] = {bytes.data() + pixels, wanted.width, pixels / 2};
  const Sample sample = frame;

  const FrameView view = checked_view(frame, wanted.name);
  const FrameCudaPlan plan(modality.frame, view.format, view.height, view.width, wanted.name);
  const std::size_t out_bytes = by_host.view().bytes();
  const HostMemory staging(std::max(plan.packed_bytes(), out_bytes));
  const DeviceMemory tables(plan.tables().size());
  const DeviceMemory packed(plan.packed_bytes());
  const DeviceMemory out(out_bytes);
  check(cudaMemcpyAsync(tables.data(), plan.tables().data(), plan.tables().size(),
                        cudaMemcpyHostToDevice, nullptr));
  check(cudaStreamSynchronize(nullptr));

  const FrameCudaCall call =
      plan.call(plan.pack(view, staging.data(), packed.data()), tables.data(), out.data());
  const auto kernel = [&] {
    if (const char* refused = plait_cuda_prepare_frame(&call, nullptr)) {
      throw std::runtime_error(refused);
    }
    check(cudaStreamSynchronize(nullptr));
  };
  const auto staged = [&] {
    (void)plan.pack(view, staging.data(), packed.data());
    check(cudaMemcpyAsync(packed.data(), staging.data(), plan.packed_bytes(),
                          cudaMemcpyHostToDevice, nullptr));
    kernel();
  };
  const auto host = [&] { preprocessor->prepare(sample, *scratch, by_host.view()); };
  std::vector<double> times[3];
  for (int round = -1; round < rounds; ++round) {  // the first warms up
    const double taken[] = {microseconds(staged), microseconds(kernel), microseconds(host)};
    for (int i = 0; round >= 0 && i < 3; ++i) times[i].push_back(taken[i]);
  }
  check(cudaMemcpyAsync(staging.data(), out.data(), out_bytes, cudaMemcpyDeviceToHost, nullptr));
  check(cudaStreamSynchronize(nullptr));
  const auto* const wanted_bytes = static_cast<const std::byte*>(by_host.view().data);
  if (!std::equal(wanted_bytes, wanted_bytes + out_bytes, staging.data())) {
    throw std::runtime_error(std::string(wanted.name) + ": other bits than the host's");
  }
  char line[256];
  std::snprintf(line, sizeof(line),
                R"({"name": "%s", "staged_us": %.1f, "device_us": %.1f, "host_us": %.1f})",
                wanted.name, median(times[0]), median(times[1]), median(times[2]));
  return line;
}

}  // namespace
}  // namespace plait::detail

int main(int count, char** arguments) {
  const int rounds = count == 2 ? std::atoi(arguments[1]) : 0;
  if (rounds < 1) {
    std::fputs("plait_frame_cuda_times ROUNDS\n", stderr);
    return 2;
  }
  try {
    std::string lines;
    for (const auto& wanted : plait::detail::kCases) {
      lines += (lines.empty() ? "[" : ",\n ") + plait::detail::measured(wanted, rounds);
    }
    std::printf("%s]\n", lines.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "plait_frame_cuda_times: %s\n", error.what());
    return 1;
  }
  return 0;
}
