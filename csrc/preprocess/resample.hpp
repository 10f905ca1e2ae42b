// resample.hpp: a jittery, time-stamped series onto the nominal grid: linear, gaps refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plait::detail {

/// Where one grid point lies: value = row[before] + weight * (row[before + 1] - row[before]).
struct GridPoint {
  std::int64_t before = 0;
  double weight = 0.0;  ///< in [0, 1); 0 where the row itself is meant
};

struct ResampleRule {
  double rate_hz = 0.0;
  double rate_tolerance = 0.0;  ///< relative
  double max_gap_ms = 0.0;
};

/// Fills grid with the points of a window that ends at the last time stamp, one nominal period
/// apart. A window's start may precede the first stamp by at most half a period; the first row is
/// held there. Does not allocate. where begins error messages.
///
/// Throws SampleError: fewer than two stamps, stamps that do not increase, a series shorter than
/// the window, a gap of more than max_gap_ms, a mean rate outside the tolerance.
void locate_window(std::span<const std::int64_t> timestamps_ns, const ResampleRule& rule,
                   const std::string& where, std::span<GridPoint> grid);

}  // namespace plait::detail
