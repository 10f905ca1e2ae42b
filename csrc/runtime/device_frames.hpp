// device_frames.hpp: frames that go to a CUDA device as they are and become the encoder's input
// there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "plait/sample.hpp"
#include "preprocess/frame_cuda.hpp"

namespace plait::detail {

/// libplait_cuda's kernel.
using FrameKernel = decltype(&plait_cuda_prepare_frame);

/// Opens the library that is named, or the one beside libplait.so; it stays open as long as the
/// process lives. nullptr where none is named and none lies there. Throws BackendError for one that
/// does not open or has no such kernel. Thread-safe.
FrameKernel open_frame_kernel(const std::filesystem::path& wanted);

/// Prepares the frames of one bound encoder on its device. Of the last few formats and sizes the
/// tables stay there, so that nothing is allocated for them again; another size takes the memory of
/// the one that was not used for longest. Used by one thread at a time.
class DeviceFrames {
 public:
  /// All outlive it. where begins error messages.
  DeviceFrames(const CudaFramePreprocessor& preprocessor, DeviceRun& run, FrameKernel kernel,
               std::string where);

  /// Uploads the sample's frame, prepares it, and runs the encoder behind it on the same stream.
  /// Blocks until done. The time at which all of the preparation was queued. Throws SampleError and
  /// BackendError; whatever was queued is done by then.
  std::chrono::steady_clock::time_point encode(const Sample& sample);

 private:
  struct Room {
    std::unique_ptr<DeviceBuffer> memory;
    std::size_t bytes = 0;
  };
  struct Entry {
    PixelFormat format = PixelFormat::kRGB8;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::optional<FrameCudaPlan> plan;
    Room tables;  // kept for the size that takes this one's place
    bool uploaded = false;
    std::uint64_t used = 0;
  };
  static constexpr std::size_t kMost = 8;

  Entry& entry_of(const FrameView& view);
  void make_room(Room& room, std::size_t bytes);
  void queue(const FrameView& view, Entry& entry, CUstream_st* stream);

  const CudaFramePreprocessor& preprocessor_;
  DeviceRun& run_;
  FrameKernel kernel_;
  std::string where_;
  std::vector<Entry> entries_;
  std::uint64_t calls_ = 0;
  Room frame_;
};

}  // namespace plait::detail
