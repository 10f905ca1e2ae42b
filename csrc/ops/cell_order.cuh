// ops/cell_order.cuh: points in the order of the cells they fall into, on a device.
//
// A radix sort, least digits first. A thread counts and places neighbours one after the other, so
// that points of a cell stay in their own order, and every run gives the same result.
#pragma once

#include <bit>

#include "ops/cell_order.hpp"
#include "ops/cuda.cuh"

namespace plait::ops::cuda {

inline constexpr int kSortThreads = 256;
inline constexpr int kSortEach = 8;  // neighbours a thread
inline constexpr std::int64_t kSortBlock = kSortThreads * kSortEach;
inline constexpr int kDigitBits = 4;
inline constexpr unsigned kDigits = 1U << kDigitBits;
inline constexpr int kScanThreads = 512;
using DigitCounts = unsigned[kSortThreads];

/// Device memory of one sort.
struct CellOrderMemory {
  CellItem* items;
  CellItem* spare;
  unsigned* counts;

  /// Items and spare each have as many as points.
  static std::size_t counts_needed(std::int64_t points) {
    return kDigits * static_cast<std::size_t>((points + kSortBlock - 1) / kSortBlock);
  }
};

/// Of the first pass, items are the points' cells; of others, what the pass before placed.
struct SortPass {
  const std::int32_t* cells;
  const CellItem* from;
  CellItem* to;
  unsigned* counts;  // [kDigits, blocks]
  std::int64_t points;
  unsigned bound;
  int shift;

  __device__ CellItem item(std::int64_t i) const {
    if (cells == nullptr) return from[i];
    // Negative cells turn large: with those beyond the bound they come last.
    return {min(static_cast<unsigned>(cells[i]), bound), static_cast<unsigned>(i)};
  }
  __device__ unsigned digit(CellItem item) const { return item.cell >> shift & (kDigits - 1); }
  __device__ std::int64_t begin() const {
    return blockIdx.x * kSortBlock + std::int64_t{threadIdx.x} * kSortEach;
  }
  __device__ std::int64_t end() const { return min(begin() + kSortEach, points); }
};

static __global__ void __launch_bounds__(kSortThreads) count_digits(SortPass pass) {
  PLAIT_SHARED(unsigned, totals, kDigits);
  if (threadIdx.x < kDigits) totals[threadIdx.x] = 0;
  __syncthreads();
  for (std::int64_t i = pass.begin(); i < pass.end(); ++i) {
    atomicAdd(&totals[pass.digit(pass.item(i))], 1U);
  }
  __syncthreads();
  if (threadIdx.x < kDigits)
    pass.counts[threadIdx.x * gridDim.x + blockIdx.x] = totals[threadIdx.x];
}

/// The sum over the lanes up to this one.
__device__ inline unsigned scan_warp(unsigned value) {
  const unsigned lane = threadIdx.x % kWarpSize;
  for (unsigned lanes = 1; lanes < kWarpSize; lanes *= 2) {
    const unsigned before = __shfl_up_sync(kWholeWarp, value, lanes);
    if (lane >= lanes) value += before;
  }
  return value;
}

/// counts of digits before, of all blocks, are where a block's items of a digit go.
static __global__ void __launch_bounds__(kSortThreads) place_items(SortPass pass) {
  PLAIT_SHARED(DigitCounts, next, kDigits);
  for (unsigned digit = 0; digit < kDigits; ++digit) next[digit][threadIdx.x] = 0;
  for (std::int64_t i = pass.begin(); i < pass.end(); ++i) {
    ++next[pass.digit(pass.item(i))][threadIdx.x];
  }
  __syncthreads();
  constexpr unsigned kWarps = kSortThreads / kWarpSize;
  for (unsigned digit = threadIdx.x / kWarpSize; digit < kDigits; digit += kWarps) {
    unsigned before = pass.counts[digit * gridDim.x + blockIdx.x];
    for (unsigned i = threadIdx.x % kWarpSize; i < kSortThreads; i += kWarpSize) {
      const unsigned own = next[digit][i];
      const unsigned scanned = scan_warp(own);
      next[digit][i] = before + scanned - own;
      before += __shfl_sync(kWholeWarp, scanned, kWarpSize - 1);
    }
  }
  __syncthreads();
  for (std::int64_t i = pass.begin(); i < pass.end(); ++i) {
    const CellItem item = pass.item(i);
    pass.to[next[pass.digit(item)][threadIdx.x]++] = item;
  }
}

/// values[i] becomes the sum of those before it; their whole sum goes to total, where that is
/// given.
static __global__ void __launch_bounds__(kScanThreads)
    scan_in_place(unsigned* values, std::int64_t count, std::int32_t* total) {
  constexpr int kWarps = kScanThreads / kWarpSize;
  PLAIT_SHARED(unsigned, sums, kWarps);
  const unsigned warp = threadIdx.x / kWarpSize;
  unsigned before = 0;
  for (std::int64_t first = 0; first < count; first += std::int64_t{kScanThreads} * kSortEach) {
    const std::int64_t begin = first + std::int64_t{threadIdx.x} * kSortEach;
    unsigned own = 0;
    for (std::int64_t i = begin; i < min(begin + kSortEach, count); ++i) own += values[i];
    const unsigned scanned = scan_warp(own);
    if (threadIdx.x % kWarpSize == kWarpSize - 1) sums[warp] = scanned;
    __syncthreads();
    unsigned next = before + scanned - own;
    for (unsigned other = 0; other < kWarps; ++other) {
      before += sums[other];
      if (other < warp) next += sums[other];
    }
    for (std::int64_t i = begin; i < min(begin + kSortEach, count); ++i) {
      const unsigned value = values[i];
      values[i] = next;
      next += value;
    }
    __syncthreads();  // before sums are written again
  }
  if (total != nullptr && threadIdx.x == 0) *total = static_cast<std::int32_t>(before);
}

/// Queues the sort of at least one point; returns where the result will lie: all points, those of
/// cells from 0 to bound - 1 by cell, then the rest.
inline const CellItem* order_by_cell(const std::int32_t* cells, std::int64_t points,
                                     std::int64_t bound, const CellOrderMemory& memory,
                                     const char* where, CudaStream stream) {
  const int bits = std::max(1, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(bound))));
  SortPass pass{
      cells, memory.spare, memory.items, memory.counts, points, static_cast<unsigned>(bound), 0};
  Launch how{.where = where,
             .stream = stream,
             .blocks = blocks_for(points, kSortBlock),
             .threads = dim3(kSortThreads)};
  const auto entries = static_cast<std::int64_t>(CellOrderMemory::counts_needed(points));
  for (; pass.shift < bits; pass.shift += kDigitBits) {
    launch(how, &count_digits, pass);
    launch({.where = where, .stream = stream, .blocks = 1, .threads = dim3(kScanThreads)},
           &scan_in_place, pass.counts, entries, static_cast<std::int32_t*>(nullptr));
    launch(how, &place_items, pass);
    pass.from = pass.to;
    pass.to = pass.from == memory.items ? memory.spare : memory.items;
    pass.cells = nullptr;
  }
  return pass.from;
}

}  // namespace plait::ops::cuda
