// voxel_reduce/work.hpp: the two ways from located points to voxels, and what both are given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/voxel_reduce/op.hpp"

namespace plait::ops {

/// One call of the operator, its points located: output 3 holds each point's cell, or -1.
struct LocatedPoints {
  const VoxelReduce& op;
  const Arguments& arguments;

  std::size_t points() const { return static_cast<std::size_t>(arguments.shape(0)[0]); }
  std::size_t channels() const { return static_cast<std::size_t>(arguments.shape(0)[1]); }
};

/// Shares that work is cut into, so that a thread that is late does not hold up the others.
std::size_t shares_of(const Parallel& parallel);

/// The rows of features and cells from found on, which no voxel takes.
void clear_rest(const Arguments& arguments, std::int64_t found);

// Both give the same bits. Working memory is the arguments' scratch.

/// A table of all cells finds each point's voxel: one pass over the points, for grids whose table
/// costs less than a sort.
bool table_fits(const VoxelReduce& op, std::int64_t points);
std::size_t table_bytes(const VoxelReduce& op, std::int64_t points, std::int64_t channels);
void reduce_by_table(const LocatedPoints& located, Parallel& parallel);

/// Points sorted by cell, each voxel's points through registers: for grids of any size.
std::size_t order_bytes(std::int64_t points, int threads);
void reduce_by_order(const LocatedPoints& located, Parallel& parallel);

}  // namespace plait::ops
