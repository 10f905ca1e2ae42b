// cuda_runtime.h: in CUDA's place under host emulation: the part of the language and of the runtime
// that our kernels and their callers use. Extend it where a kernel needs more.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "emulation.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

inline const dim3& threadIdx = plait::emulation::running.thread_index;
inline const dim3& blockIdx = plait::emulation::running.block_index;
inline const dim3& blockDim = plait::emulation::running.block_size;
inline const dim3& gridDim = plait::emulation::running.grid_size;

// A lambda of its own for each declaration, and so a key, in each instance of a kernel's template.
#define PLAIT_SHARED(Type, name, count)                                    \
  auto* const name = static_cast<Type*>(::plait::emulation::static_shared( \
      [] {                                                                 \
        static const char key = 0;                                         \
        return &key;                                                       \
      }(),                                                                 \
      sizeof(Type) * (count)))
#define PLAIT_DYNAMIC_SHARED(Type, name) \
  [[maybe_unused]] auto* const name = static_cast<Type*>(::plait::emulation::dynamic_shared())

inline void __syncthreads(plait::emulation::Place place = plait::emulation::Place::current()) {
  plait::emulation::block_barrier(place);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU,
                       plait::emulation::Place place = plait::emulation::Place::current()) {
  plait::emulation::warp_barrier(mask, place);
}

namespace plait::emulation {
template <typename T>
T exchanged(unsigned mask, T value, unsigned from, const Place& place) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  word = exchange(mask, word, from, place);
  std::memcpy(&value, &word, sizeof(T));
  return value;
}
}  // namespace plait::emulation

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              plait::emulation::Place place = plait::emulation::Place::current()) {
  const unsigned own = plait::emulation::lane();
  const auto segment = static_cast<unsigned>(width);
  const unsigned from = (own & ~(segment - 1)) + (static_cast<unsigned>(source) & (segment - 1));
  return plait::emulation::exchanged(mask, value, from, place);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  plait::emulation::Place place = plait::emulation::Place::current()) {
  const unsigned own = plait::emulation::lane();
  const unsigned from = own ^ static_cast<unsigned>(lanes);
  const unsigned end = (own & ~(static_cast<unsigned>(width) - 1)) + static_cast<unsigned>(width);
  return plait::emulation::exchanged(mask, value, from < end ? from : own, place);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32,
                   plait::emulation::Place place = plait::emulation::Place::current()) {
  const unsigned own = plait::emulation::lane();
  const auto segment = static_cast<unsigned>(width);
  const bool inside = (own & (segment - 1)) + lanes < segment;
  return plait::emulation::exchanged(mask, value, inside ? own + lanes : own, place);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32,
                 plait::emulation::Place place = plait::emulation::Place::current()) {
  const unsigned own = plait::emulation::lane();
  const bool inside = (own & (static_cast<unsigned>(width) - 1)) >= lanes;
  return plait::emulation::exchanged(mask, value, inside ? own - lanes : own, place);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              plait::emulation::Place place = plait::emulation::Place::current()) {
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    const int vote = plait::emulation::exchanged(mask, predicate, lane, place);
    ballot |= static_cast<unsigned>(vote != 0) << lane;
  }
  return ballot;
}

// Fibers change at barriers only: whatever lies between two is atomic.
template <typename T>
T atomicAdd(T* target, std::type_identity_t<T> value) {
  const T old = *target;
  *target = static_cast<T>(old + value);
  return old;
}

using std::isnan;
using std::max;
using std::min;
// The build joins no products and sums, so that plain operators round as these do.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }

// The runtime: memory is the host's, and everything is done when a call returns.
struct CUstream_st;
using cudaStream_t = CUstream_st*;
enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice
};
struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "out of memory";
}
/// Not further aligned than CUDA promises, and with nothing behind it.
inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  constexpr std::size_t kAlignment = 256;
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  return posix_memalign(memory, kAlignment, bytes) == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) {
  return cudaMalloc(memory, bytes);
}
inline cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t) {
  if (bytes > 0) std::memset(memory, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }

template <typename... Parameters, typename... Values>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Values&&... values) {
  plait::emulation::launch(config->gridDim, config->blockDim, config->dynamicSmemBytes,
                           [&] { kernel(values...); });
  return cudaSuccess;
}

struct cudaDeviceProp {
  char name[256];
  int major;
  int minor;
};
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"host emulation", 0, 0};
  return cudaSuccess;
}

struct CUevent_st {  // CUDA's own name, as TensorRT's headers know it
  std::chrono::steady_clock::time_point time;
};
using cudaEvent_t = CUevent_st*;
inline cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new CUevent_st;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  *ms = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return cudaSuccess;
}
