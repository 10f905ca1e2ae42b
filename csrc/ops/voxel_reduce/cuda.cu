// voxel_reduce/cuda.cu: points located and sorted by cell; then a thread for each voxel's channel.
#include "ops/cell_order.cuh"
#include "ops/voxel_reduce/op.hpp"

namespace plait::ops {
namespace {

constexpr const char* kWhere = "operator VoxelReduce";
constexpr int kThreads = 256;

/// The grid as a device may read it: std::array's functions are the host's.
struct Axis {
  float lower;
  float size;
  std::int32_t cells;
};

template <typename T>
struct Voxelisation {
  const T* points;
  const float* transform;
  T* features;
  std::int32_t* cells;
  std::int32_t* count;
  std::int32_t* voxels;
  unsigned* ranks;
  const CellItem* ordered;
  Axis axes[3];
  unsigned total;
  std::int64_t size;
  std::int64_t channels;
  std::int64_t capacity;

  /// Products and sums are rounded one by one, as everywhere: a compiler would join them.
  __device__ float moved(int axis, const T* point) const {
    const float* m = transform + axis * 4;
    const float x = __fmul_rn(m[0], cuda::to_float(point[0]));
    const float y = __fmul_rn(m[1], cuda::to_float(point[1]));
    const float z = __fmul_rn(m[2], cuda::to_float(point[2]));
    return __fadd_rn(__fadd_rn(__fadd_rn(x, y), z), m[3]);
  }
  __device__ bool begins(std::int64_t position) const {
    return position == 0 || ordered[position].cell != ordered[position - 1].cell;
  }
  __device__ bool inside(std::int64_t position) const { return ordered[position].cell < total; }
};

template <typename T>
__global__ void __launch_bounds__(kThreads) locate(Voxelisation<T> work) {
  for (std::int64_t i = cuda::first_item(); i < work.size; i += cuda::item_step()) {
    const T* point = work.points + i * work.channels;
    std::int32_t cell = 0;
    for (int axis = 2; axis >= 0; --axis) {
      const Axis& along = work.axes[axis];
      const float past = __fsub_rn(work.moved(axis, point), along.lower);
      const float step = floorf(__fdiv_rn(past, along.size));
      const bool inside = step >= 0.0F && step < static_cast<float>(along.cells);
      const bool none = cell < 0 || !inside;
      cell = none ? -1 : cell * along.cells + static_cast<std::int32_t>(step);
    }
    work.voxels[i] = cell;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) mark_firsts(Voxelisation<T> work) {
  for (std::int64_t i = cuda::first_item(); i < work.size; i += cuda::item_step()) {
    work.ranks[work.ordered[i].point] = work.inside(i) && work.begins(i) ? 1 : 0;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) clear(Voxelisation<T> work) {
  const std::int64_t count = work.capacity * work.channels;
  for (std::int64_t i = cuda::first_item(); i < count; i += cuda::item_step()) {
    cuda::set(work.features[i], 0.0F);
    if (i < work.capacity) work.cells[i] = -1;
    if (i == 0) *work.count = 0;
  }
}

template <bool kMax, typename T>
__global__ void __launch_bounds__(kThreads) reduce(Voxelisation<T> work) {
  const std::int64_t count = work.size * work.channels;
  for (std::int64_t i = cuda::first_item(); i < count; i += cuda::item_step()) {
    const std::int64_t position = i / work.channels;
    if (!work.inside(position) || !work.begins(position)) continue;
    const auto c = static_cast<int>(i - position * work.channels);
    const CellItem first = work.ordered[position];
    const std::int64_t rank = work.ranks[first.point];
    const bool kept = rank < work.capacity;
    float total = 0.0F;
    std::int64_t end = position;
    for (; end < work.size && work.ordered[end].cell == first.cell; ++end) {
      const std::int64_t index = work.ordered[end].point;
      if (c == 0) work.voxels[index] = kept ? static_cast<std::int32_t>(rank) : -1;
      const T* point = work.points + index * work.channels;
      const float value = c < 3 ? work.moved(c, point) : cuda::to_float(point[c]);
      if constexpr (kMax) {
        if (end == position || value > total || isnan(value)) total = isnan(total) ? total : value;
      } else {
        total += value;
      }
    }
    if (!kept) continue;
    if constexpr (!kMax) total /= static_cast<float>(end - position);
    cuda::set(work.features[rank * work.channels + c], total);
    if (c == 0) work.cells[rank] = static_cast<std::int32_t>(first.cell);
  }
}

template <typename T>
void run(const VoxelReduce& op, const Arguments& arguments, CudaStream stream) {
  const std::int64_t points = arguments.shape(0)[0];
  auto* items = reinterpret_cast<CellItem*>(arguments.scratch.data());
  auto* ranks = reinterpret_cast<unsigned*>(items + 2 * points);
  const auto axis = [&](std::size_t i) {
    return Axis{op.grid.lower[i], op.grid.size[i], op.grid.cells[i]};
  };
  Voxelisation<T> work{arguments.input<T>(0).data(),
                       arguments.input<float>(1).data(),
                       arguments.output<T>(0).data(),
                       arguments.output<std::int32_t>(1).data(),
                       arguments.output<std::int32_t>(2).data(),
                       arguments.output<std::int32_t>(3).data(),
                       ranks,
                       nullptr,
                       {axis(0), axis(1), axis(2)},
                       static_cast<unsigned>(op.grid.total()),
                       points,
                       arguments.shape(0)[1],
                       op.capacity};
  const auto over = [&](std::int64_t count) {
    return cuda::Launch{.where = kWhere,
                        .stream = stream,
                        .blocks = cuda::blocks_for(count, kThreads),
                        .threads = dim3(kThreads)};
  };
  cuda::launch(over(op.capacity * work.channels), &clear<T>, work);
  if (points == 0) return;
  cuda::launch(over(points), &locate<T>, work);
  work.ordered = cuda::order_by_cell(work.voxels, points, op.grid.total(),
                                     {items, items + points, ranks + points}, kWhere, stream);
  cuda::launch(over(points), &mark_firsts<T>, work);
  cuda::launch(
      {.where = kWhere, .stream = stream, .blocks = 1, .threads = dim3(cuda::kScanThreads)},
      &cuda::scan_in_place, ranks, points, work.count);
  const bool max = op.kind == VoxelReduce::Kind::kMax;
  cuda::launch(over(points * work.channels), max ? &reduce<true, T> : &reduce<false, T>, work);
}

}  // namespace

std::size_t VoxelReduce::cuda_scratch_bytes(std::span<const ConstTensorView> inputs) const {
  const std::int64_t points = inputs[0].shape[0];
  return static_cast<std::size_t>(points) * (2 * sizeof(CellItem) + sizeof(unsigned)) +
         cuda::CellOrderMemory::counts_needed(points) * sizeof(unsigned);
}

void VoxelReduce::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(*this, arguments, stream);
  } else {
    run<__half>(*this, arguments, stream);
  }
}

}  // namespace plait::ops
