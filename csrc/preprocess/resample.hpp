// resample.hpp: a series of another rate, or a jittery one, onto the encoder's grid.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plait::detail {

/// Where one grid point lies: value = row[before] + weight * (row[before + 1] - row[before]); or,
/// with a count, the sum over k of weights[offset + k] * row[before + k].
struct GridPoint {
  std::int64_t before = 0;
  double weight = 0.0;  ///< in [0, 1); 0 where the row itself is meant
  std::int64_t count = 0;
  std::int64_t offset = 0;
};

/// A window's points, and the weights of those that are averages.
struct Grid {
  std::vector<GridPoint> points;  ///< one a row of the window
  std::vector<double> weights;
};

struct ResampleRule {
  double rate_hz = 0.0;                ///< of the grid
  std::span<const double> rates_hz{};  ///< that a series may have; not empty
  double rate_tolerance = 0.0;         ///< relative
  double max_gap_ms = 0.0;
  bool antialias = true;  ///< of faster series: averages instead of interpolation
};

/// The declared rate nearest to the given one, where that is within the tolerance; else 0.
double declared_rate(const ResampleRule& rule, double rate_hz) noexcept;
/// "25 or 50 Hz within 20 %": for error messages.
std::string accepted_rates(const ResampleRule& rule);
/// Rows of a series of rate_hz in the time of so many grid points, rounded up: the first point lies
/// less than a period before the first row.
std::int64_t rows_of_window(const ResampleRule& rule, double rate_hz, std::int64_t points) noexcept;

/// Fills grid with the points of a window that ends at the last time stamp, one period of rate_hz
/// apart. A window's start may precede the first stamp by at most half a period (of the slowest
/// declared rate, where that is longer); the first row is held there. Once warm it does not
/// allocate for series of the same length. where begins error messages.
///
/// Throws SampleError: fewer than two stamps, stamps that do not increase, a series shorter than
/// the window, a gap of more than max_gap_ms, a mean rate that is none of the declared.
void locate_window(std::span<const std::int64_t> timestamps_ns, const ResampleRule& rule,
                   const std::string& where, Grid& grid);

/// The same of rows_of_window rows that are one period of source_hz, a declared rate, apart.
void locate_rows(std::int64_t rows, double source_hz, const ResampleRule& rule, Grid& grid);

}  // namespace plait::detail
