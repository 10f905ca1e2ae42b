// emulation.cpp: fibers, the barriers they wait at, and the memory a block shares.
#include "emulation.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace plait::emulation {

Thread running;

namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kMostSharedBytes = std::size_t{48} * 1024;
constexpr std::size_t kStackBytes = std::size_t{128} * 1024;
constexpr int kPoison = 0xFF;

enum class State { kReady, kAtBlockBarrier, kAtWarpBarrier, kEnded };

struct Fiber {
  std::unique_ptr<std::byte[]> stack = std::make_unique<std::byte[]>(kStackBytes);
  ucontext_t first{};
  jmp_buf resume{};
  bool started = false;
  State state = State::kEnded;
  dim3 index;
  unsigned rank = 0;
  unsigned mask = 0;
  std::uint64_t published = 0;
  Place place;
};

/// A declaration of shared memory, of the block that runs.
struct Shared {
  const void* key;
  std::size_t bytes;
  std::unique_ptr<std::byte[]> memory;
};

/// One host thread's emulated device. Fibers are kept: to make one costs more than a short kernel.
struct Device {
  std::vector<std::unique_ptr<Fiber>> fibers;
  Fiber* current = nullptr;
  jmp_buf scheduler{};
  const std::function<void()>* body = nullptr;
  std::unique_ptr<std::byte[]> dynamic;
  std::size_t dynamic_bytes = 0;
  std::vector<Shared> shared;
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack = nullptr;
  std::size_t scheduler_bytes = 0;
#endif
};

Device device;

[[noreturn]] void fail(const char* what) {
  const dim3& block = running.block_index;
  std::fprintf(stderr, "CUDA emulation, block (%u, %u, %u): %s\n", block.x, block.y, block.z, what);
  std::abort();
}

/// fiber waits, other keeps it waiting.
[[noreturn]] void fail_between(const Fiber& fiber, const char* what, const Fiber& other) {
  char there[256] = "has ended";
  if (other.state != State::kEnded) {
    std::snprintf(there, sizeof(there), "waits at %s:%u", other.place.file_name(),
                  other.place.line());
  }
  char text[768];
  std::snprintf(text, sizeof(text), "%s: thread %u waits at %s:%u, thread %u %s", what, fiber.rank,
                fiber.place.file_name(), fiber.place.line(), other.rank, there);
  fail(text);
}

// AddressSanitizer has to know on which stack the program is.
void leave_for([[maybe_unused]] const void* stack, [[maybe_unused]] std::size_t bytes,
               [[maybe_unused]] void** kept) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(kept, stack, bytes);
#endif
}
void arrive([[maybe_unused]] void* kept, [[maybe_unused]] bool from_scheduler) {
#if defined(__SANITIZE_ADDRESS__)
  const void* stack = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(kept, &stack, &bytes);
  if (from_scheduler) {
    device.scheduler_stack = stack;
    device.scheduler_bytes = bytes;
  }
#endif
}

/// To the scheduler and, when that resumes the fiber, back.
void suspend(State state) {
  Fiber* const fiber = device.current;
  fiber->state = state;
  void* kept = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  leave_for(device.scheduler_stack, device.scheduler_bytes, &kept);
#endif
  if (_setjmp(fiber->resume) == 0) _longjmp(device.scheduler, 1);
  arrive(kept, true);
}

/// A fiber's whole life: one thread of one block after another.
void live() {
  arrive(nullptr, true);
  for (;;) {
    (*device.body)();
    suspend(State::kEnded);
  }
}

void resume(Fiber& fiber) {
  device.current = &fiber;
  running.thread_index = fiber.index;
  void* kept = nullptr;
  leave_for(fiber.stack.get(), kStackBytes, &kept);
  if (_setjmp(device.scheduler) == 0) {
    if (fiber.started) _longjmp(fiber.resume, 1);
    fiber.started = true;
    setcontext(&fiber.first);
  }
  arrive(kept, false);
}

void prepare(std::size_t index, dim3 block) {
  if (index == device.fibers.size()) {
    auto fiber = std::make_unique<Fiber>();
    getcontext(&fiber->first);
    fiber->first.uc_stack.ss_sp = fiber->stack.get();
    fiber->first.uc_stack.ss_size = kStackBytes;
    fiber->first.uc_link = nullptr;
    makecontext(&fiber->first, live, 0);
    device.fibers.push_back(std::move(fiber));
  }
  Fiber& fiber = *device.fibers[index];
  const auto rank = static_cast<unsigned>(index);
  fiber.rank = rank;
  fiber.index = dim3(rank % block.x, rank / block.x % block.y, rank / block.x / block.y);
  fiber.state = State::kReady;
}

/// Lets go the lanes of one warp that all others of their mask wait with. Whether any was.
bool release_warp(unsigned first, unsigned count) {
  bool released = false;
  for (unsigned i = first; i < first + count; ++i) {
    const Fiber& fiber = *device.fibers[i];
    if (fiber.state != State::kAtWarpBarrier) continue;
    bool complete = true;
    for (unsigned j = first; j < first + kWarp; ++j) {
      if ((fiber.mask >> (j - first) & 1U) == 0) continue;
      if (j >= first + count) fail("a warp's mask names lanes beyond the block");
      const Fiber& other = *device.fibers[j];
      if (other.state == State::kEnded)
        fail_between(fiber, "a warp waits for a lane that ended", other);
      complete = complete && other.state == State::kAtWarpBarrier;
      if (other.state == State::kAtWarpBarrier && other.mask != fiber.mask) {
        fail_between(fiber, "lanes of a warp wait with different masks", other);
      }
    }
    if (!complete) continue;
    const unsigned mask = fiber.mask;
    for (unsigned j = first; j < first + count; ++j) {
      if ((mask >> (j - first) & 1U) != 0) device.fibers[j]->state = State::kReady;
    }
    released = true;
  }
  return released;
}

/// All threads of the block wait at the same barrier, or some kernel is wrong.
void release_block(unsigned threads) {
  const Fiber* first = nullptr;
  for (unsigned i = 0; i < threads; ++i) {
    if (device.fibers[i]->state == State::kAtBlockBarrier) first = device.fibers[i].get();
  }
  if (first == nullptr) fail("threads of a warp wait for one another for ever");
  for (unsigned i = 0; i < threads; ++i) {
    const Fiber& fiber = *device.fibers[i];
    if (fiber.state == State::kAtBlockBarrier && fiber.place.line() == first->place.line())
      continue;
    fail_between(*first, "divergent barrier", fiber);
  }
  for (unsigned i = 0; i < threads; ++i) device.fibers[i]->state = State::kReady;
}

void run_block(unsigned threads, bool backwards) {
  for (;;) {
    bool all_ended = true;
    for (unsigned i = 0; i < threads; ++i) {
      Fiber& fiber = *device.fibers[backwards ? threads - 1 - i : i];
      if (fiber.state == State::kReady) resume(fiber);
      all_ended = all_ended && fiber.state == State::kEnded;
    }
    if (all_ended) return;
    bool released = false;
    for (unsigned first = 0; first < threads; first += kWarp) {
      released |= release_warp(first, std::min(kWarp, threads - first));
    }
    if (!released) release_block(threads);
  }
}

void check_shared() {
  std::size_t bytes = device.dynamic_bytes;
  for (const Shared& shared : device.shared) bytes += shared.bytes;
  if (bytes > kMostSharedBytes) fail("more shared memory than 48 KiB");
}

void poison_shared() {
  std::memset(device.dynamic.get(), kPoison, device.dynamic_bytes);
  for (const Shared& shared : device.shared) {
    std::memset(shared.memory.get(), kPoison, shared.bytes);
  }
}

}  // namespace

unsigned lane() noexcept { return device.current->rank % kWarp; }
void* dynamic_shared() noexcept { return device.dynamic.get(); }

void* static_shared(const void* key, std::size_t bytes) {
  for (const Shared& shared : device.shared) {
    if (shared.key == key) return shared.memory.get();
  }
  auto memory = std::make_unique<std::byte[]>(bytes);
  std::memset(memory.get(), kPoison, bytes);
  device.shared.push_back({key, bytes, std::move(memory)});
  check_shared();
  return device.shared.back().memory.get();
}

void block_barrier(const Place& place) {
  device.current->place = place;
  suspend(State::kAtBlockBarrier);
}

void warp_barrier(unsigned mask, const Place& place) {
  Fiber& fiber = *device.current;
  if ((mask >> lane() & 1U) == 0) fail("a lane waits with a mask that it is not in");
  fiber.mask = mask;
  fiber.place = place;
  suspend(State::kAtWarpBarrier);
}

std::uint64_t exchange(unsigned mask, std::uint64_t value, unsigned from, const Place& place) {
  if ((mask >> from & 1U) == 0) fail("a shuffle reads from a lane that does not take part");
  Fiber& fiber = *device.current;
  fiber.published = value;
  warp_barrier(mask, place);
  const std::uint64_t read = device.fibers[fiber.rank / kWarp * kWarp + from]->published;
  warp_barrier(mask, place);  // nobody publishes anew before all have read
  return read;
}

void launch(dim3 grid, dim3 block, std::size_t dynamic_shared_bytes,
            const std::function<void()>& body) {
  const unsigned threads = block.x * block.y * block.z;
  if (threads == 0 || threads > kMostThreads) fail("a block has 1 to 1024 threads");
  for (std::size_t i = 0; i < threads; ++i) prepare(i, block);
  device.body = &body;
  running.block_size = block;
  running.grid_size = grid;
  device.shared.clear();
  device.dynamic = std::make_unique<std::byte[]>(dynamic_shared_bytes);
  device.dynamic_bytes = dynamic_shared_bytes;
  check_shared();
  bool backwards = false;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        running.block_index = dim3(x, y, z);
        for (std::size_t i = 0; i < threads; ++i) prepare(i, block);
        poison_shared();
        run_block(threads, backwards);
        backwards = !backwards;
      }
    }
  }
}

}  // namespace plait::emulation
