// stub_cuda.cpp: the part of CUDA's runtime that the backend uses, on host memory.
#include "stub_cuda.hpp"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace {

using plait::stub::CudaControl;

constexpr int kMemoryAllocation = 2;
constexpr int kInvalidValue = 1;
constexpr int kAlreadyRegistered = 712;
constexpr int kCaptureInvalidated = 901;
constexpr std::size_t kAlignment = 256;
constexpr std::size_t kPage = 4096;

using Work = std::shared_ptr<std::function<void()>>;

struct Graph {
  std::vector<Work> work;
};

/// Used by one thread at a time, as a stream of the backend's is.
struct Stream {
  std::vector<Work> queued;
  std::unique_ptr<Graph> capturing;
  bool invalidated = false;
};

struct State {
  CudaControl control;
  std::mutex mutex;  // of what follows
  std::map<const void*, std::size_t> device;
  std::map<const void*, std::size_t> pinned;
  std::map<const void*, std::size_t> registered;
};

State& state() {
  static auto* const only = std::make_unique<State>().release();
  return *only;
}

thread_local int current_device = 0;
thread_local int last_error = 0;

int fail(int error) {
  last_error = error;
  return error;
}

bool holds(const std::map<const void*, std::size_t>& ranges, const void* memory,
           std::size_t bytes) {
  auto after = ranges.upper_bound(memory);
  if (after == ranges.begin()) return false;
  const auto& [begin, length] = *std::prev(after);
  const auto offset =
      static_cast<std::size_t>(static_cast<const char*>(memory) - static_cast<const char*>(begin));
  return offset + bytes <= length;
}

bool fails(const char* function, int& error) {
  plait::stub::Failure& failure = state().control.failure;
  if (failure.function == nullptr || std::strcmp(failure.function, function) != 0) return false;
  if (failure.passes-- > 0) return false;
  error = failure.error;
  if (!failure.lasting) failure.function = nullptr;
  return true;
}

int allocate(std::map<const void*, std::size_t>& ranges, std::atomic<int>& count, void** memory,
             std::size_t bytes) {
  void* made = nullptr;
  if (posix_memalign(&made, kAlignment, bytes) != 0) made = nullptr;
  if (made == nullptr) return fail(kMemoryAllocation);
  std::memset(made, 0xA5, bytes);  // nothing may rely on zeros
  const std::lock_guard lock(state().mutex);
  ranges.emplace(made, bytes);
  ++count;
  *memory = made;
  return 0;
}

int release(std::map<const void*, std::size_t>& ranges, std::atomic<int>& count, void* memory) {
  if (memory == nullptr) return 0;
  {
    const std::lock_guard lock(state().mutex);
    if (ranges.erase(memory) == 0) {
      ++state().control.wrong_pointers;
      return fail(kInvalidValue);
    }
  }
  --count;
  std::free(memory);
  return 0;
}

void queue(Stream& stream, Work work) {
  (stream.capturing ? stream.capturing->work : stream.queued).push_back(std::move(work));
}

}  // namespace

// Ends the function with the error that the test asked for.
#define STUB_MAY_FAIL(function)                \
  if (int error = 0; fails(function, error)) { \
    return fail(error);                        \
  }

extern "C" {

CudaControl* plait_stub_cuda() { return &state().control; }

bool plait_stub_device_reaches(const void* memory, std::size_t bytes) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  if (holds(all.device, memory, bytes)) return true;
  return all.control.integrated &&
         (holds(all.pinned, memory, bytes) || holds(all.registered, memory, bytes));
}

int plait_stub_queue(void* stream, void (*call)(void*), void* data, void (*release_data)(void*)) {
  const std::shared_ptr<void> kept(data, release_data);
  queue(*static_cast<Stream*>(stream),
        std::make_shared<std::function<void()>>([call, kept] { call(kept.get()); }));
  return 0;
}

bool plait_stub_captures(void* stream) {
  return static_cast<Stream*>(stream)->capturing != nullptr;
}

int cudaGetDeviceCount(int* count) {
  STUB_MAY_FAIL("cudaGetDeviceCount")
  *count = state().control.devices;
  return 0;
}

int cudaGetDevice(int* device) {
  *device = current_device;
  return 0;
}

int cudaSetDevice(int device) {
  STUB_MAY_FAIL("cudaSetDevice")
  current_device = device;
  return 0;
}

int cudaDeviceGetAttribute(int* value, int attribute, int /*device*/) {
  STUB_MAY_FAIL("cudaDeviceGetAttribute")
  const CudaControl& control = state().control;
  switch (attribute) {
    case 18:
      *value = control.integrated ? 1 : 0;
      return 0;
    case 75:
      *value = control.major;
      return 0;
    case 76:
      *value = control.minor;
      return 0;
    case 99:
      *value = control.registers ? 1 : 0;
      return 0;
    default:
      return fail(kInvalidValue);
  }
}

int cudaGetDeviceProperties(void* properties, int /*device*/) {
  STUB_MAY_FAIL("cudaGetDeviceProperties")
  constexpr const char* kName = "Stub, of host memory";
  std::memcpy(properties, kName, std::strlen(kName) + 1);
  return 0;
}

int cudaRuntimeGetVersion(int* version) {
  *version = state().control.driver;
  return 0;
}

int cudaDriverGetVersion(int* version) {
  STUB_MAY_FAIL("cudaDriverGetVersion")
  *version = state().control.driver;
  return 0;
}

int cudaMalloc(void** memory, std::size_t bytes) {
  STUB_MAY_FAIL("cudaMalloc")
  return allocate(state().device, state().control.memories, memory, bytes);
}

int cudaFree(void* memory) { return release(state().device, state().control.memories, memory); }

int cudaHostAlloc(void** memory, std::size_t bytes, unsigned /*flags*/) {
  STUB_MAY_FAIL("cudaHostAlloc")
  return allocate(state().pinned, state().control.pinned, memory, bytes);
}

int cudaFreeHost(void* memory) { return release(state().pinned, state().control.pinned, memory); }

// Two ranges that share a page are refused, as CUDA may.
int cudaHostRegister(void* memory, std::size_t bytes, unsigned /*flags*/) {
  STUB_MAY_FAIL("cudaHostRegister")
  const auto page = [](const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) / kPage;
  };
  const auto last = [&](const void* begin, std::size_t length) {
    return page(static_cast<const char*>(begin) + length - 1);
  };
  State& all = state();
  const std::lock_guard lock(all.mutex);
  for (const auto& [begin, length] : all.registered) {
    if (page(memory) <= last(begin, length) && page(begin) <= last(memory, bytes)) {
      return fail(kAlreadyRegistered);
    }
  }
  all.registered.emplace(memory, bytes);
  ++all.control.registered;
  return 0;
}

int cudaHostUnregister(void* memory) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  if (all.registered.erase(memory) == 0) {
    ++all.control.wrong_pointers;
    return fail(kInvalidValue);
  }
  --all.control.registered;
  return 0;
}

int cudaHostGetDevicePointer(void** device, void* host, unsigned /*flags*/) {
  STUB_MAY_FAIL("cudaHostGetDevicePointer")
  *device = host;
  return 0;
}

int cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, int kind, void* stream) {
  STUB_MAY_FAIL("cudaMemcpyAsync")
  State& all = state();
  const void* const device = kind == 1 ? to : from;
  const void* const host = kind == 1 ? from : to;
  {
    const std::lock_guard lock(all.mutex);
    if (!holds(all.device, device, bytes)) ++all.control.wrong_pointers;
    if (!holds(all.pinned, host, bytes) && !holds(all.registered, host, bytes)) {
      ++all.control.unlocked_copies;
    }
  }
  ++all.control.copies;
  queue(*static_cast<Stream*>(stream),
        std::make_shared<std::function<void()>>([=] { std::memcpy(to, from, bytes); }));
  return 0;
}

int cudaStreamCreateWithFlags(void** stream, unsigned /*flags*/) {
  STUB_MAY_FAIL("cudaStreamCreateWithFlags")
  *stream = std::make_unique<Stream>().release();
  ++state().control.streams;
  return 0;
}

int cudaStreamDestroy(void* stream) {
  const std::unique_ptr<Stream> owner(static_cast<Stream*>(stream));
  --state().control.streams;
  return 0;
}

int cudaStreamSynchronize(void* stream) {
  auto& own = *static_cast<Stream*>(stream);
  if (own.capturing) {
    ++state().control.calls_captured;
    own.invalidated = true;
    return fail(kCaptureInvalidated);
  }
  STUB_MAY_FAIL("cudaStreamSynchronize")
  for (const Work& work : own.queued) (*work)();
  own.queued.clear();
  return 0;
}

int cudaStreamBeginCapture(void* stream, int mode) {
  STUB_MAY_FAIL("cudaStreamBeginCapture")
  if (mode != 1) return fail(kInvalidValue);  // other threads go on
  static_cast<Stream*>(stream)->capturing = std::make_unique<Graph>();
  return 0;
}

int cudaStreamEndCapture(void* stream, void** graph) {
  auto& own = *static_cast<Stream*>(stream);
  std::unique_ptr<Graph> made = std::move(own.capturing);
  const bool invalidated = std::exchange(own.invalidated, false);
  STUB_MAY_FAIL("cudaStreamEndCapture")
  *graph = nullptr;
  if (invalidated) return fail(kCaptureInvalidated);
  *graph = made.release();
  ++state().control.graphs;
  return 0;
}

int cudaGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long /*flags*/) {
  STUB_MAY_FAIL("cudaGraphInstantiateWithFlags")
  *executable = std::make_unique<Graph>(*static_cast<Graph*>(graph)).release();
  ++state().control.graphs;
  return 0;
}

int cudaGraphLaunch(void* executable, void* stream) {
  STUB_MAY_FAIL("cudaGraphLaunch")
  auto& queued = static_cast<Stream*>(stream)->queued;
  const auto& work = static_cast<Graph*>(executable)->work;
  queued.insert(queued.end(), work.begin(), work.end());
  ++state().control.graph_launches;
  return 0;
}

int cudaGraphDestroy(void* graph) {
  const std::unique_ptr<Graph> owner(static_cast<Graph*>(graph));
  --state().control.graphs;
  return 0;
}

int cudaGraphExecDestroy(void* executable) { return cudaGraphDestroy(executable); }

int cudaGetLastError() { return std::exchange(last_error, 0); }

const char* cudaGetErrorString(int error) {
  return error == kMemoryAllocation ? "out of memory" : "a failure that the test asked for";
}

}  // extern "C"
