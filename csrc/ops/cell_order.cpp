// cell_order.cpp: least digits first, each pass shared out in blocks that keep their order.
#include "ops/cell_order.hpp"

#include <algorithm>
#include <bit>

namespace plait::ops {
namespace {

/// A digit's buckets stay in the nearest cache, with a line of each being written.
constexpr int kMostBits = 11;

struct Digit {
  int shift;
  std::uint32_t mask;

  std::uint32_t of(CellItem item) const noexcept { return (item.cell >> shift) & mask; }
};

/// Items of a pass: read from the points' cells first, then from the pass before.
struct FromCells {
  std::span<const std::int32_t> cells;
  std::uint32_t bound;  // stands for every negative cell, and is the last

  CellItem operator[](std::size_t i) const noexcept {
    return {std::min(static_cast<std::uint32_t>(cells[i]), bound), static_cast<std::uint32_t>(i)};
  }
};

template <typename Source>
void pass(const Source& source, std::span<CellItem> target, Digit digit,
          std::span<std::uint32_t> counts, std::size_t blocks, Parallel& parallel) {
  const std::size_t size = target.size();
  const std::size_t buckets = std::size_t{digit.mask} + 1;
  const auto first_of = [&](std::size_t block) { return size * block / blocks; };
  const auto count = [&](std::size_t block) {
    std::uint32_t* mine = counts.data() + block * buckets;
    std::fill_n(mine, buckets, 0U);
    const std::size_t end = first_of(block + 1);
    for (std::size_t i = first_of(block); i < end; ++i) ++mine[digit.of(source[i])];
  };
  parallel.run(blocks, count);
  // A bucket's items of the first block come first.
  std::uint32_t next = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    for (std::size_t block = 0; block < blocks; ++block) {
      std::uint32_t& entry = counts[block * buckets + bucket];
      const std::uint32_t items = entry;
      entry = next;
      next += items;
    }
  }
  const auto place = [&](std::size_t block) {
    std::uint32_t* mine = counts.data() + block * buckets;
    const std::size_t end = first_of(block + 1);
    for (std::size_t i = first_of(block); i < end; ++i) {
      const CellItem item = source[i];
      target[mine[digit.of(item)]++] = item;
    }
  };
  parallel.run(blocks, place);
}

}  // namespace

std::size_t CellOrderMemory::counts_needed(int threads) noexcept {
  return static_cast<std::size_t>(threads) << kMostBits;
}

std::size_t position_of(std::span<const CellItem> ordered, std::int64_t cell) noexcept {
  const auto before = [](CellItem item, std::int64_t wanted) { return item.cell < wanted; };
  const auto found = std::lower_bound(ordered.begin(), ordered.end(), cell, before);
  return static_cast<std::size_t>(found - ordered.begin());
}

std::span<const CellItem> order_by_cell(std::span<const std::int32_t> cells, std::int64_t bound,
                                        const CellOrderMemory& memory, Parallel& parallel) {
  const int bits = std::max(1, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(bound))));
  const int passes = (bits + kMostBits - 1) / kMostBits;
  const int width = (bits + passes - 1) / passes;
  const std::uint32_t mask = (1U << width) - 1U;
  const auto blocks = static_cast<std::size_t>(parallel.threads());
  std::span<CellItem> from = memory.spare.first(cells.size());
  std::span<CellItem> to = memory.items.first(cells.size());
  pass(FromCells{cells, static_cast<std::uint32_t>(bound)}, to, {0, mask}, memory.counts, blocks,
       parallel);
  for (int done = 1; done < passes; ++done) {
    std::swap(from, to);
    pass(from, to, {done * width, mask}, memory.counts, blocks, parallel);
  }
  return to.first(position_of(to, bound));
}

}  // namespace plait::ops
