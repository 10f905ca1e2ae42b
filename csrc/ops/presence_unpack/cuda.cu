// presence_unpack/cuda.cu: a warp for each token: it looks the token up among the positions, copies.
#include "ops/copy_rows.cuh"
#include "ops/presence_unpack/op.hpp"

namespace plait::ops {
namespace {

template <typename T>
struct Unpacking {
  const T* packed;
  const std::int32_t* positions;
  const T* absent;
  T* y;
  std::int64_t rows;  // of the batch
  std::int64_t slots;
  std::int64_t count;
  std::int64_t channels;
};

/// Where in a row of rising positions a token is, or -1. Padding (-1) counts as beyond all tokens.
__device__ inline std::int64_t slot_of(const std::int32_t* positions, std::int64_t slots,
                                       std::int64_t token) {
  std::int64_t low = 0;
  std::int64_t high = slots;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    const bool before = positions[middle] >= 0 && positions[middle] < token;
    (before ? low : high) = before ? middle + 1 : middle;
  }
  return low < slots && positions[low] == token ? low : -1;
}

template <int kWidth, typename T>
__global__ void __launch_bounds__(cuda::kThreadsOfCopies) unpack(Unpacking<T> unpacking) {
  const std::int64_t total = unpacking.rows * unpacking.count;
  for (std::int64_t i = cuda::first_row(); i < total; i += cuda::row_step()) {
    const std::int64_t first = i / unpacking.count * unpacking.slots;
    const std::int64_t token = i % unpacking.count;
    const std::int64_t slot = slot_of(unpacking.positions + first, unpacking.slots, token);
    const T* from = slot < 0 ? unpacking.absent + token * unpacking.channels
                             : unpacking.packed + (first + slot) * unpacking.channels;
    cuda::copy_row<kWidth>(from, unpacking.y + i * unpacking.channels, unpacking.channels);
  }
}

template <typename T>
void run(const Arguments& arguments, CudaStream stream) {
  const Shape& packed = arguments.shape(0);
  const Unpacking<T> unpacking{arguments.input<T>(0).data(),
                               arguments.input<std::int32_t>(1).data(),
                               arguments.input<T>(2).data(),
                               arguments.output<T>(0).data(),
                               packed[0],
                               packed[1],
                               arguments.shape(2)[0],
                               packed[2]};
  const std::int64_t rows = unpacking.rows * unpacking.count;
  if (rows == 0 || unpacking.channels == 0) return;
  const auto how = cuda::launch_of_rows("operator PresenceUnpack", stream, rows);
  constexpr int kWidest = cuda::kWidest<T>;
  const bool wide = cuda::fit_packs<kWidest>(unpacking.channels, unpacking.packed,
                                             unpacking.absent, unpacking.y);
  cuda::launch(how, wide ? &unpack<kWidest, T> : &unpack<1, T>, unpacking);
}

}  // namespace

void PresenceUnpack::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, stream);
  } else {
    run<__half>(arguments, stream);
  }
}

}  // namespace plait::ops
