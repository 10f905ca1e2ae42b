// device_frames.cpp: page-locked staging, one upload, one kernel, then the engine.
#include "runtime/device_frames.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <system_error>

#include "base/dynamic_library.hpp"
#include "plait/error.hpp"

namespace plait::detail {

FrameKernel open_frame_kernel(const std::filesystem::path& wanted) {
  namespace fs = std::filesystem;
  const fs::path beside = fs::path(path_of_this_library()).parent_path() / "libplait_cuda.so";
  std::error_code ignored;
  if (wanted.empty() && !fs::exists(beside, ignored)) return nullptr;
  const std::string path = (wanted.empty() ? beside : wanted).string();
  std::string error;
  DynamicLibrary library = DynamicLibrary::open(path, error);
  const auto kernel = reinterpret_cast<FrameKernel>(library.symbol("plait_cuda_prepare_frame"));
  if (kernel == nullptr) {
    throw BackendError({.where = "CUDA kernels",
                        .expected = "libplait_cuda of this Plait",
                        .got = library ? path + " without plait_cuda_prepare_frame" : error,
                        .action = "Build Plait with CUDA, or take that file away."});
  }
  static std::mutex mutex;
  // Never closed, on purpose: CUDA's part in it lasts as long as the process.
  static auto* const opened = std::make_unique<std::vector<DynamicLibrary>>().release();
  const std::lock_guard lock(mutex);
  opened->push_back(std::move(library));
  return kernel;
}

DeviceFrames::DeviceFrames(const CudaFramePreprocessor& preprocessor, DeviceRun& run,
                           FrameKernel kernel, std::string where)
    : preprocessor_(preprocessor), run_(run), kernel_(kernel), where_(std::move(where)) {
  entries_.reserve(kMost);
}

std::chrono::steady_clock::time_point DeviceFrames::encode(const Sample& sample) {
  const FrameView view = preprocessor_.view(sample);
  Entry& entry = entry_of(view);
  make_room(frame_, entry.plan->packed_bytes());
  std::chrono::steady_clock::time_point prepared;
  const auto prepare = [&](CUstream_st* stream) {
    queue(view, entry, stream);
    prepared = std::chrono::steady_clock::now();
  };
  run_.run_after(prepare);
  entry.uploaded = true;
  return prepared;
}

DeviceFrames::Entry& DeviceFrames::entry_of(const FrameView& view) {
  ++calls_;
  for (Entry& entry : entries_) {
    if (entry.format != view.format || entry.height != view.height || entry.width != view.width) {
      continue;
    }
    entry.used = calls_;
    return entry;
  }
  Entry& entry =
      entries_.size() < kMost
          ? entries_.emplace_back()
          : *std::min_element(entries_.begin(), entries_.end(),
                              [](const Entry& a, const Entry& b) { return a.used < b.used; });
  entry.width = 0;  // of no frame, should what follows throw
  entry.plan = preprocessor_.plan(view);
  const std::span<const std::byte> tables = entry.plan->tables();
  make_room(entry.tables, tables.size());
  std::memcpy(entry.tables.memory->host(), tables.data(), tables.size());
  entry.uploaded = false;
  entry.format = view.format;
  entry.height = view.height;
  entry.width = view.width;
  entry.used = calls_;
  return entry;
}

/// With some to spare: a region that follows something grows by little at a time.
void DeviceFrames::make_room(Room& room, std::size_t bytes) {
  if (bytes <= room.bytes) return;
  room = {};
  const std::size_t wanted = bytes + bytes / 2;
  room.memory = run_.make_buffer(wanted);
  room.bytes = wanted;
}

void DeviceFrames::queue(const FrameView& view, Entry& entry, CUstream_st* stream) {
  const FrameCudaPlan& plan = *entry.plan;
  if (!entry.uploaded) entry.tables.memory->queue_upload(plan.tables().size(), stream);
  const FrameView there = plan.pack(view, frame_.memory->host(), frame_.memory->device());
  frame_.memory->queue_upload(plan.packed_bytes(), stream);
  const FrameCudaCall call = plan.call(there, entry.tables.memory->device(), run_.input());
  const char* const refused = kernel_(&call, stream);
  if (refused == nullptr) return;
  throw BackendError({.where = where_ + " on CUDA",
                      .expected = "a kernel that prepares the frame",
                      .got = refused,
                      .action = ""});
}

}  // namespace plait::detail
