// run_context.cpp: lending and taking back sets of run buffers.
#include "runtime/run_context.hpp"

namespace plait::detail {

ContextStore::Lease ContextStore::lend(FunctionRef<std::unique_ptr<RunContext>()> make) {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<RunContext> context = std::move(idle_.back());
      idle_.pop_back();
      return {*this, std::move(context)};
    }
    idle_.reserve(++made_);  // so that taking back never allocates
  }
  return {*this, make()};
}

void ContextStore::take_back(std::unique_ptr<RunContext> context) noexcept {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(context));
}

}  // namespace plait::detail
