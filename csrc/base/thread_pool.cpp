// thread_pool.cpp: workers wait for a loop, take indices from a shared counter, and report back.
#include "base/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace plait::detail {
namespace {

/// One loop under way. Lives on its caller's stack.
struct Loop {
  std::size_t count;
  FunctionRef<void(std::size_t)> body;
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;

  void work() noexcept {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  }
};

}  // namespace

class ThreadPool::Impl {
 public:
  explicit Impl(int threads) {
    workers_.reserve(static_cast<std::size_t>(std::max(threads - 1, 0)));
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  std::size_t workers() const noexcept { return workers_.size(); }

  void run(Loop& loop) {
    const std::unique_lock busy(caller_mutex_, std::try_to_lock);
    if (!busy.owns_lock() || workers_.empty() || loop.count < 2) {
      loop.work();
    } else {
      publish(loop);
      loop.work();
      retract();
    }
    if (loop.failure) std::rethrow_exception(loop.failure);
  }

 private:
  void publish(Loop& loop) {
    {
      const std::lock_guard lock(mutex_);
      loop_ = &loop;
      ++generation_;
    }
    wake_.notify_all();
  }

  /// After this no worker holds the loop, so its caller's stack frame may go.
  void retract() {
    std::unique_lock lock(mutex_);
    loop_ = nullptr;
    idle_.wait(lock, [this] { return active_ == 0; });
  }

  void serve() {
    std::size_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || (loop_ != nullptr && generation_ != seen); });
      if (stopping_) return;
      seen = generation_;
      Loop* loop = loop_;
      ++active_;
      lock.unlock();
      loop->work();
      lock.lock();
      if (--active_ == 0) idle_.notify_one();
    }
  }

  std::vector<std::thread> workers_;
  std::mutex caller_mutex_;  // held by the one caller whose loop is shared out
  std::mutex mutex_;         // guards everything below
  std::condition_variable wake_;
  std::condition_variable idle_;
  Loop* loop_ = nullptr;
  std::size_t generation_ = 0;
  int active_ = 0;
  bool stopping_ = false;
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>(threads)) {}
ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const noexcept { return static_cast<int>(impl_->workers()) + 1; }

void ThreadPool::parallel_for(std::size_t count, FunctionRef<void(std::size_t)> body) {
  Loop loop{.count = count, .body = body, .next = 0, .failure = nullptr, .failure_mutex = {}};
  impl_->run(loop);
}

int available_cpus() noexcept {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

}  // namespace plait::detail
