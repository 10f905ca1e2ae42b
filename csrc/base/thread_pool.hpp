// thread_pool.hpp: a fixed set of threads that share out the indices of one loop at a time.
//
// The caller of parallel_for works too, so a pool of n threads starts n - 1. Idle threads sleep.
#pragma once

#include <cstddef>
#include <memory>

#include "base/function_ref.hpp"

namespace plait::detail {

class ThreadPool {
 public:
  /// threads >= 1, the caller's included.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;

  /// Calls body(i) once for every i in [0, count), in any order, on any of the threads; returns
  /// when all are done. The first exception of a body is rethrown after the others have finished.
  /// Thread-safe and reentrant: while the pool is busy, a second caller runs its loop by itself.
  /// Does not allocate.
  void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> body);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// CPUs this process may run on: its affinity mask, not the machine's count. At least 1.
int available_cpus() noexcept;

}  // namespace plait::detail
