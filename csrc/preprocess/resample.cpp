// resample.cpp: checks a series' time stamps and finds each grid point's neighbours.
#include "preprocess/resample.hpp"

#include <algorithm>
#include <cmath>

#include "base/format.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;
constexpr double kNanosecondsPerMillisecond = 1e6;

/// a - b where b <= a; false when it does not fit.
bool elapsed(std::int64_t a, std::int64_t b, double& nanoseconds) noexcept {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) return false;
  nanoseconds = static_cast<double>(difference);
  return true;
}

[[noreturn]] void refuse_order(std::span<const std::int64_t> timestamps_ns, std::size_t row,
                               const std::string& where) {
  throw SampleError(
      {.where = where,
       .expected = "strictly increasing time stamps in nanoseconds",
       .got = "timestamps_ns[" + std::to_string(row) + "] = " + std::to_string(timestamps_ns[row]) +
              " after " + std::to_string(timestamps_ns[row - 1]),
       .action = "Sort the series, drop duplicates, and look for a clock that jumped."});
}

}  // namespace

void locate_window(std::span<const std::int64_t> timestamps_ns, const ResampleRule& rule,
                   const std::string& where, std::span<GridPoint> grid) {
  const double period = kNanosecondsPerSecond / rule.rate_hz;
  const double span_needed = period * static_cast<double>(grid.size() - 1);
  const std::size_t rows = timestamps_ns.size();
  if (rows < 2) {
    throw SampleError({.where = where,
                       .expected = "a series of at least two time-stamped rows",
                       .got = std::to_string(rows),
                       .action = "Pass one window without time stamps, or a longer series."});
  }
  for (std::size_t row = 1; row < rows; ++row) {
    if (timestamps_ns[row] <= timestamps_ns[row - 1]) refuse_order(timestamps_ns, row, where);
  }

  const std::int64_t last = timestamps_ns.back();
  const auto age_of = [&](std::size_t row, double& age) {
    if (!elapsed(last, timestamps_ns[row], age)) age = HUGE_VAL;
  };
  std::size_t first = rows - 1;  // the row at or before the window's start
  double age = 0.0;
  while (first > 0 && age < span_needed) age_of(--first, age);
  if (age + period / 2 < span_needed) {
    throw SampleError({.where = where,
                       .expected = "a series that covers the window of " +
                                   number_text(span_needed / kNanosecondsPerMillisecond) + " ms",
                       .got = number_text(age / kNanosecondsPerMillisecond) + " ms",
                       .action = "Collect more samples before asking for an answer."});
  }

  for (std::size_t row = first + 1; row < rows; ++row) {
    double gap = 0.0;
    if (!elapsed(timestamps_ns[row], timestamps_ns[row - 1], gap)) gap = HUGE_VAL;
    if (gap > rule.max_gap_ms * kNanosecondsPerMillisecond) {
      throw SampleError(
          {.where = where,
           .expected = "no gap of more than " + number_text(rule.max_gap_ms) + " ms",
           .got = number_text(gap / kNanosecondsPerMillisecond) + " ms before row " +
                  std::to_string(row),
           .action = "Declare the modality absent until the window has filled again."});
    }
  }
  const double rate = static_cast<double>(rows - 1 - first) * kNanosecondsPerSecond / age;
  if (std::abs(rate - rule.rate_hz) > rule.rate_tolerance * rule.rate_hz) {
    throw SampleError({.where = where,
                       .expected = number_text(rule.rate_hz) + " Hz within " +
                                   number_text(100.0 * rule.rate_tolerance) + " %",
                       .got = number_text(rate) + " Hz by the time stamps",
                       .action = "Resample before, or describe the sensor's true rate at export."});
  }

  std::size_t before = first;
  for (std::size_t point = 0; point < grid.size(); ++point) {
    const double wanted = period * static_cast<double>(grid.size() - 1 - point);  // age
    double next_age = 0.0;
    while (before + 1 < rows && (age_of(before + 1, next_age), next_age >= wanted)) ++before;
    double before_age = 0.0;
    age_of(before, before_age);
    if (before + 1 >= rows || before_age <= wanted) {
      grid[point] = {static_cast<std::int64_t>(before), 0.0};
      continue;
    }
    grid[point] = {static_cast<std::int64_t>(before),
                   (before_age - wanted) / (before_age - next_age)};
  }
}

}  // namespace plait::detail
