// pillar_scatter/scratch.hpp: what the plain loop keeps of a cell.
#pragma once

#include <cstdint>

namespace plait::ops {

/// One channel of a cell so far, and of how many points.
struct CellSum {
  float value;
  std::int32_t points;
};

}  // namespace plait::ops
