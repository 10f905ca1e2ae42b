// multi_scale_deformable_attention/cuda.cu: a thread for each pack of a query's and head's
// channels.
//
// Threads of one query and head lie side by side, so that a corner's channels are one wide read.
#include "ops/cuda.cuh"
#include "ops/multi_scale_deformable_attention/op.hpp"

namespace plait::ops {
namespace {

constexpr int kThreads = 256;

template <typename T>
struct Attention {
  const T* value;
  const std::int32_t* shapes;
  const T* locations;
  const T* weights;
  T* y;
  std::int64_t positions;
  std::int64_t heads;
  std::int64_t channels;
  std::int64_t queries;
  std::int64_t rows;  ///< batch x queries x heads
  std::int64_t levels;
  std::int64_t points;
};

/// One level's map, of one batch entry and head, from a thread's first channel on.
template <typename T>
struct Map {
  const T* first;
  std::int32_t height;
  std::int32_t width;
  std::int64_t pixel_step;
};

template <int kWidth, typename T>
__device__ void add_corner(const Map<T>& map, int y, int x, float factor, float (&sums)[kWidth]) {
  if (x < 0 || y < 0 || x >= map.width || y >= map.height) return;
  float values[kWidth];
  cuda::load(map.first + (std::int64_t{y} * map.width + x) * map.pixel_step, values);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sums[i] += factor * values[i];
}

/// Adds the sample at (x, y), 0 to 1, times a weight. What is not finite is not near.
template <int kWidth, typename T>
__device__ void add_sample(const Map<T>& map, float x, float y, float weight,
                           float (&sums)[kWidth]) {
  const auto width = static_cast<float>(map.width);
  const auto height = static_cast<float>(map.height);
  x = x * width - 0.5F;
  y = y * height - 0.5F;
  const bool near = x > -1.0F && y > -1.0F && x < width && y < height;
  if (!near) return;
  const float left = floorf(x);
  const float top = floorf(y);
  const float right_part = x - left;
  const float lower_part = y - top;
  const auto x0 = static_cast<int>(left);
  const auto y0 = static_cast<int>(top);
  const float upper = weight * (1.0F - lower_part);
  const float lower = weight * lower_part;
  add_corner(map, y0, x0, upper * (1.0F - right_part), sums);
  add_corner(map, y0, x0 + 1, upper * right_part, sums);
  add_corner(map, y0 + 1, x0, lower * (1.0F - right_part), sums);
  add_corner(map, y0 + 1, x0 + 1, lower * right_part, sums);
}

template <int kWidth, typename T>
__global__ void __launch_bounds__(kThreads) attend(Attention<T> attention) {
  const std::int64_t packs = attention.channels / kWidth;
  const std::int64_t count = attention.rows * packs;
  const std::int64_t pixel_step = attention.heads * attention.channels;
  for (std::int64_t i = cuda::first_item(); i < count; i += cuda::item_step()) {
    const std::int64_t row = i / packs;
    const std::int64_t c = (i - row * packs) * kWidth;
    const std::int64_t batch = row / (attention.queries * attention.heads);
    const T* maps = attention.value + batch * attention.positions * pixel_step +
                    row % attention.heads * attention.channels + c;
    std::int64_t at = row * attention.levels * attention.points;
    std::int64_t start = 0;
    float sums[kWidth] = {};
    for (std::int64_t level = 0; level < attention.levels; ++level) {
      const Map<T> map{maps + start * pixel_step, attention.shapes[2 * level],
                       attention.shapes[2 * level + 1], pixel_step};
      const std::int64_t pixels = std::int64_t{map.height} * map.width;
      // Levels that value does not have contribute nothing.
      if (map.height < 1 || map.width < 1 || pixels > attention.positions - start) break;
      for (std::int64_t point = 0; point < attention.points; ++point, ++at) {
        add_sample(map, cuda::to_float(attention.locations[2 * at]),
                   cuda::to_float(attention.locations[2 * at + 1]),
                   cuda::to_float(attention.weights[at]), sums);
      }
      start += pixels;
    }
    cuda::store(sums, attention.y + row * attention.channels + c);
  }
}

template <int kWidth, typename T>
void run_packs(const Attention<T>& attention, CudaStream stream) {
  cuda::launch(
      {.where = "operator MultiScaleDeformableAttention",
       .stream = stream,
       .blocks = cuda::blocks_for(attention.rows * (attention.channels / kWidth), kThreads),
       .threads = dim3(kThreads)},
      &attend<kWidth, T>, attention);
}

template <typename T>
void run(const Arguments& arguments, CudaStream stream) {
  const Shape& value = arguments.shape(0);
  const Shape& weights = arguments.shape(3);
  const Attention<T> attention{arguments.input<T>(0).data(),
                               arguments.input<std::int32_t>(1).data(),
                               arguments.input<T>(2).data(),
                               arguments.input<T>(3).data(),
                               arguments.output<T>(0).data(),
                               value[1],
                               value[2],
                               value[3],
                               weights[1],
                               weights[0] * weights[1] * weights[2],
                               weights[3],
                               weights[4]};
  if (attention.rows == 0 || attention.channels == 0) return;
  constexpr int kWidest = cuda::kWidest<T>;
  if (cuda::fit_packs<kWidest>(attention.channels, attention.value, attention.y)) {
    run_packs<kWidest>(attention, stream);
  } else {
    run_packs<1>(attention, stream);
  }
}

}  // namespace

void MultiScaleDeformableAttention::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, stream);
  } else {
    run<__half>(arguments, stream);
  }
}

}  // namespace plait::ops
