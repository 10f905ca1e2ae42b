// allocations.hpp: counts the heap allocations that this program's own code makes.
#pragma once

#include <cstddef>

namespace plait::testing_support {

/// Counts calls of operator new on this thread that come from the program itself, which holds all
/// of Plait's code; those of shared libraries (ONNX Runtime, libstdc++) are not counted.
class AllocationCounter {
 public:
  AllocationCounter() noexcept;
  ~AllocationCounter();
  AllocationCounter(const AllocationCounter&) = delete;
  AllocationCounter& operator=(const AllocationCounter&) = delete;

  std::size_t count() const noexcept;
};

}  // namespace plait::testing_support
