// emulation.hpp: CUDA's execution model on the host, so that kernels are tested where there is no
// GPU.
//
// A kernel is compiled as plain C++ and every CUDA thread of a block is a fiber of one host thread;
// blocks run one after another. A fiber runs until it ends or waits at a barrier, of its warp or of
// its block. Blocks take their fibers forwards and backwards in turn, so that a missing barrier
// shows. Shared memory is filled with 0xFF (NaN, -1) before every block, since nothing may rely on
// what is in it. What CUDA calls undefined ends the program with a message: a barrier that some
// threads of the block do not come to, or come to elsewhere; a shuffle that reads from a lane that
// does not take part; more threads or shared memory than a device has.
//
// Not emulated: memory ordering between blocks, texture and tensor-core instructions, asynchronous
// copies. One launch at a time in a process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>

struct dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
  constexpr dim3() = default;
  constexpr dim3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace plait::emulation {

using Place = std::source_location;

/// What CUDA's built-in variables say in the running fiber.
struct Thread {
  dim3 thread_index;
  dim3 block_index;
  dim3 block_size;
  dim3 grid_size;
};
extern Thread running;

/// Runs body once for every thread of the grid. Returns when all have ended.
void launch(dim3 grid, dim3 block, std::size_t dynamic_shared_bytes,
            const std::function<void()>& body);

/// Waits for all threads of the block.
void block_barrier(const Place& place);
/// Waits for the lanes of mask, which have to come with the same mask.
void warp_barrier(unsigned mask, const Place& place);
/// The value that a lane of the same warp brings to the same exchange; at most 8 bytes.
std::uint64_t exchange(unsigned mask, std::uint64_t value, unsigned lane, const Place& place);

unsigned lane() noexcept;
/// Of the running launch.
void* dynamic_shared() noexcept;
/// The block's memory for one declaration of shared memory, which key names.
void* static_shared(const void* key, std::size_t bytes);

}  // namespace plait::emulation
