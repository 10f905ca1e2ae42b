// ops/cell_order.hpp: points in the order of the cells they fall into: a stable radix sort.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/op.hpp"

namespace plait::ops {

struct CellItem {
  std::uint32_t cell;
  std::uint32_t point;
};

/// Working memory of one sort; all of it from the caller.
struct CellOrderMemory {
  std::span<CellItem> items;  ///< as many as points
  std::span<CellItem> spare;  ///< as many
  std::span<std::uint32_t> counts;

  /// What counts needs for so many threads.
  static std::size_t counts_needed(int threads) noexcept;
};

/// The points whose cell is not negative, by cell, and in their own order within one: the same for
/// every thread count. cells hold numbers below bound <= 2^31 - 1. The result lies in memory.
std::span<const CellItem> order_by_cell(std::span<const std::int32_t> cells, std::int64_t bound,
                                        const CellOrderMemory& memory, Parallel& parallel);

/// The first position of ordered whose cell is at least the one given.
std::size_t position_of(std::span<const CellItem> ordered, std::int64_t cell) noexcept;

}  // namespace plait::ops
