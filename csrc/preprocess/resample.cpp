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

/// Linear interpolation between the rows around each point. age_of(row): nanoseconds from the row
/// to the last one, which falls from row to row.
template <typename AgeOf>
void interpolate(std::size_t first, std::size_t rows, double period, AgeOf age_of, Grid& grid) {
  std::size_t before = first;
  for (std::size_t point = 0; point < grid.points.size(); ++point) {
    const double wanted = period * static_cast<double>(grid.points.size() - 1 - point);  // age
    while (before + 1 < rows && age_of(before + 1) >= wanted) ++before;
    GridPoint& found = grid.points[point];
    found = {.before = static_cast<std::int64_t>(before)};
    const double before_age = age_of(before);
    if (before + 1 >= rows || before_age <= wanted) continue;
    found.weight = (before_age - wanted) / (before_age - age_of(before + 1));
  }
}

/// Averages of the rows less than a period from each point, weighted by their distance; a point
/// with no row that near stays interpolated. first: a row at or before the first point.
template <typename AgeOf>
void average(std::size_t first, std::size_t rows, double period, AgeOf age_of, Grid& grid) {
  grid.weights.clear();
  while (first > 0 && age_of(first) < period * static_cast<double>(grid.points.size())) --first;
  for (std::size_t point = 0; point < grid.points.size(); ++point) {
    const double wanted = period * static_cast<double>(grid.points.size() - 1 - point);
    while (first < rows && age_of(first) - wanted >= period) ++first;
    const std::size_t offset = grid.weights.size();
    double sum = 0.0;
    for (std::size_t row = first; row < rows; ++row) {
      const double weight = 1.0 - std::abs(age_of(row) - wanted) / period;
      if (weight <= 0.0) break;
      grid.weights.push_back(weight);
      sum += weight;
    }
    const std::size_t count = grid.weights.size() - offset;
    if (count == 0) continue;
    for (std::size_t k = offset; k < grid.weights.size(); ++k) grid.weights[k] /= sum;
    grid.points[point] = {.before = static_cast<std::int64_t>(first),
                          .count = static_cast<std::int64_t>(count),
                          .offset = static_cast<std::int64_t>(offset)};
  }
}

}  // namespace

std::string accepted_rates(const ResampleRule& rule) {
  std::string text;
  for (const double rate : rule.rates_hz) {
    text += (text.empty() ? "" : " or ") + number_text(rate);
  }
  return text + " Hz within " + number_text(100.0 * rule.rate_tolerance) + " %";
}

double declared_rate(const ResampleRule& rule, double rate_hz) noexcept {
  double nearest = 0.0;
  double least = HUGE_VAL;
  for (const double rate : rule.rates_hz) {
    const double deviation = std::abs(rate_hz - rate) / rate;
    // Written so that a rate of NaN is none.
    if (deviation <= rule.rate_tolerance && deviation < least) {
      nearest = rate;
      least = deviation;
    }
  }
  return nearest;
}

std::int64_t rows_of_window(const ResampleRule& rule, double rate_hz,
                            std::int64_t points) noexcept {
  const double rows = static_cast<double>(points) * rate_hz / rule.rate_hz;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(rows - 1e-9)));
}

void locate_rows(std::int64_t rows, double source_hz, const ResampleRule& rule, Grid& grid) {
  const double source_period = kNanosecondsPerSecond / source_hz;
  const double period = kNanosecondsPerSecond / rule.rate_hz;
  const auto age_of = [&](std::size_t row) {
    return source_period * static_cast<double>(static_cast<std::size_t>(rows) - 1 - row);
  };
  interpolate(0, static_cast<std::size_t>(rows), period, age_of, grid);
  if (rule.antialias && source_hz > rule.rate_hz) {
    average(0, static_cast<std::size_t>(rows), period, age_of, grid);
  }
}

void locate_window(std::span<const std::int64_t> timestamps_ns, const ResampleRule& rule,
                   const std::string& where, Grid& grid) {
  const double period = kNanosecondsPerSecond / rule.rate_hz;
  const double slowest = *std::min_element(rule.rates_hz.begin(), rule.rates_hz.end());
  const double span_needed = period * static_cast<double>(grid.points.size() - 1);
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
  const auto age_of = [&](std::size_t row) {
    double age = 0.0;
    return elapsed(last, timestamps_ns[row], age) ? age : HUGE_VAL;
  };
  std::size_t first = rows - 1;  // the row at or before the window's start
  double age = 0.0;
  while (first > 0 && age < span_needed) age = age_of(--first);
  const double held = std::max(period, kNanosecondsPerSecond / slowest) / 2;
  if (age + held < span_needed) {
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
  // A window of one row has no rate.
  const double declared = first + 1 < rows ? declared_rate(rule, rate) : rule.rate_hz;
  if (declared == 0.0) {
    throw SampleError({.where = where,
                       .expected = accepted_rates(rule),
                       .got = number_text(rate) + " Hz by the time stamps",
                       .action = "Resample before, or describe the sensor's true rate at export."});
  }
  interpolate(first, rows, period, age_of, grid);
  if (rule.antialias && declared > rule.rate_hz) average(first, rows, period, age_of, grid);
}

}  // namespace plait::detail
