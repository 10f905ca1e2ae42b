// skeleton/cuda.cu: a thread for each value, as many values behind one another as fit.
#include "ops/cuda.cuh"
#include "ops/skeleton/op.hpp"

namespace plait::ops {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void __launch_bounds__(kThreads)
    scale(const T* x, const T* offset, T* y, std::int64_t count, int channels, float gain) {
  for (std::int64_t i = cuda::first_item(); i < count; i += cuda::item_step()) {
    cuda::set(y[i], cuda::to_float(x[i]) * gain + cuda::to_float(offset[i % channels]));
  }
}

template <typename T>
void run(const Arguments& arguments, float gain, CudaStream stream) {
  const std::int64_t count = arguments.shape(0).elements();
  if (count == 0) return;
  cuda::launch({.where = "operator Skeleton",
                .stream = stream,
                .blocks = cuda::blocks_for(count, kThreads),
                .threads = dim3(kThreads)},
               &scale<T>, arguments.input<T>(0).data(), arguments.input<T>(1).data(),
               arguments.output<T>(0).data(), count, arguments.shape(0)[1], gain);
}

}  // namespace

void Skeleton::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, gain, stream);
  } else {
    run<__half>(arguments, gain, stream);
  }
}

}  // namespace plait::ops
