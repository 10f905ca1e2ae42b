// stub_cuda.hpp: how tests steer the stub of libcudart, and what it saw.
//
// The stub keeps "device memory" on the heap and puts off everything that is queued until the
// stream is synchronised: who does not wait gets nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace plait::stub {

/// One function of the stub fails with this error once so many of its calls have passed.
struct Failure {
  const char* function = nullptr;  ///< "cudaMalloc"; nullptr: none fails
  int passes = 0;
  int error = 2;
  bool lasting = false;  ///< all later calls fail too
};

/// What the stub is, settable before each test, and what is in use.
struct CudaControl {
  std::atomic<int> devices{1};
  std::atomic<bool> integrated{false};
  std::atomic<bool> registers{true};
  std::atomic<int> major{8};
  std::atomic<int> minor{7};
  std::atomic<int> driver{12060};

  std::atomic<int> memories{0};    ///< of cudaMalloc, not yet freed
  std::atomic<int> pinned{0};      ///< of cudaHostAlloc
  std::atomic<int> registered{0};  ///< ranges of cudaHostRegister
  std::atomic<int> streams{0};
  std::atomic<int> graphs{0};  ///< graphs and executables
  std::atomic<int> graph_launches{0};
  std::atomic<int> copies{0};  ///< queued by cudaMemcpyAsync, those of graphs not counted
  std::atomic<int> unlocked_copies{
      0};  ///< of host memory that is not page-locked, which would wait
  std::atomic<int> wrong_pointers{
      0};  ///< copies to or from what is no device memory; frees of strangers
  std::atomic<int> calls_captured{0};  ///< calls that no stream under capture bears
  Failure failure;                     ///< not to be changed while other threads call
};

/// Whether memory of so many bytes is the device's, or host memory it can reach.
using Reaches = bool (*)(const void* memory, std::size_t bytes);

}  // namespace plait::stub

extern "C" {
plait::stub::CudaControl* plait_stub_cuda();
/// For the stub of TensorRT.
bool plait_stub_device_reaches(const void* memory, std::size_t bytes);
/// Queues a call on the stream. data lives until release is called, at the latest with the last
/// graph.
int plait_stub_queue(void* stream, void (*call)(void* data), void* data,
                     void (*release)(void* data));
bool plait_stub_captures(void* stream);
}
