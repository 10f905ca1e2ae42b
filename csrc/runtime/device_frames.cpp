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
  make_room(entry.plan->packed_bytes());
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
  Entry made{.format = view.format,
             .height = view.height,
             .width = view.width,
             .plan = preprocessor_.plan(view),
             .tables = nullptr,
             .used = calls_};
  const std::span<const std::byte> tables = made.plan->tables();
  made.tables = run_.make_buffer(tables.size());
  std::memcpy(made.tables->host(), tables.data(), tables.size());
  if (entries_.size() < kMost) return entries_.emplace_back(std::move(made));
  const auto oldest =
      std::min_element(entries_.begin(), entries_.end(),
                       [](const Entry& a, const Entry& b) { return a.used < b.used; });
  return *oldest = std::move(made);
}

void DeviceFrames::make_room(std::size_t bytes) {
  if (bytes <= frame_bytes_) return;
  frame_bytes_ = 0;
  frame_.reset();
  frame_ = run_.make_buffer(bytes);
  frame_bytes_ = bytes;
}

void DeviceFrames::queue(const FrameView& view, Entry& entry, CUstream_st* stream) {
  const FrameCudaPlan& plan = *entry.plan;
  if (!entry.uploaded) entry.tables->queue_upload(plan.tables().size(), stream);
  const FrameView there = plan.pack(view, frame_->host(), frame_->device());
  frame_->queue_upload(plan.packed_bytes(), stream);
  const FrameCudaCall call = plan.call(there, entry.tables->device(), run_.input());
  const char* const refused = kernel_(&call, stream);
  if (refused == nullptr) return;
  throw BackendError({.where = where_ + " on CUDA",
                      .expected = "a kernel that prepares the frame",
                      .got = refused,
                      .action = ""});
}

}  // namespace plait::detail
