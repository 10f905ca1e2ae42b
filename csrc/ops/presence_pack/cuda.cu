// presence_pack/cuda.cu: a warp for each packed token: it finds where the token comes from, copies.
#include "ops/copy_rows.cuh"
#include "ops/presence_pack/op.hpp"

namespace plait::ops {
namespace {

template <typename T>
struct Packing {
  const T* tokens;
  const T* presence;
  const std::int32_t* lengths;
  T* packed;
  std::int32_t* positions;
  T* mask;
  std::int64_t rows;  // of the batch
  std::int64_t count;
  std::int64_t channels;
  std::int64_t modalities;
  std::int64_t slots;
  const std::int32_t* found;  // where not null: the slots, known on the device only
};

constexpr int kThreadsOfSearch = 256;

/// The slots that the longest row of the batch needs, found by one block.
template <typename T>
__global__ void __launch_bounds__(kThreadsOfSearch)
    find_slots(Packing<T> packing, std::int32_t* slots) {
  PLAIT_SHARED(std::int32_t, most, kThreadsOfSearch);
  std::int64_t longest = 0;
  for (std::int64_t row = threadIdx.x; row < packing.rows; row += blockDim.x) {
    const T* presence = packing.presence + row * packing.modalities;
    std::int64_t present = 0;
    for (std::int64_t m = 0; m < packing.modalities; ++m) {
      const bool counts = cuda::to_float(presence[m]) > 0.5F && packing.lengths[m] > 0;
      present += counts ? packing.lengths[m] : 0;
    }
    longest = present > longest ? present : longest;
  }
  most[threadIdx.x] = static_cast<std::int32_t>(longest < packing.count ? longest : packing.count);
  for (unsigned half = kThreadsOfSearch / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x >= half) continue;
    const std::int32_t other = most[threadIdx.x + half];
    if (other > most[threadIdx.x]) most[threadIdx.x] = other;
  }
  if (threadIdx.x == 0) *slots = most[0];
}

/// Which token comes to a slot of a batch row; -1 for padding.
template <typename T>
__device__ std::int64_t token_of(const Packing<T>& packing, std::int64_t row, std::int64_t slot) {
  const T* presence = packing.presence + row * packing.modalities;
  std::int64_t token = 0;
  for (std::int64_t m = 0; m < packing.modalities; ++m) {
    const std::int64_t length = packing.lengths[m] > 0 ? packing.lengths[m] : 0;
    if (cuda::to_float(presence[m]) > 0.5F) {
      if (slot < length) return token + slot < packing.count ? token + slot : -1;
      slot -= length;
    }
    token += length;
  }
  return -1;
}

template <int kWidth, typename T>
__global__ void __launch_bounds__(cuda::kThreadsOfCopies, 4) pack(Packing<T> packing) {
  const std::int64_t slots = packing.found == nullptr ? packing.slots : *packing.found;
  const std::int64_t total = packing.rows * slots;
  for (std::int64_t i = cuda::first_row(); i < total; i += cuda::row_step()) {
    const std::int64_t row = i / slots;
    const std::int64_t token = token_of(packing, row, i % slots);
    const T* from =
        token < 0 ? nullptr : packing.tokens + (row * packing.count + token) * packing.channels;
    cuda::copy_row<kWidth>(from, packing.packed + i * packing.channels, packing.channels);
    if (threadIdx.x == 0) {
      packing.positions[i] = static_cast<std::int32_t>(token);
      cuda::set(packing.mask[i], token < 0 ? 0.0F : 1.0F);
    }
  }
}

template <typename T>
void run(const Arguments& arguments, std::int32_t* slots, CudaStream stream) {
  const Shape& tokens = arguments.shape(0);
  const Packing<T> packing{arguments.input<T>(0).data(),
                           arguments.input<T>(1).data(),
                           arguments.input<std::int32_t>(2).data(),
                           arguments.output<T>(0).data(),
                           arguments.output<std::int32_t>(1).data(),
                           arguments.output<T>(2).data(),
                           tokens[0],
                           tokens[1],
                           tokens[2],
                           arguments.shape(1)[1],
                           arguments.outputs[1].shape[1],
                           slots};
  if (slots != nullptr) {
    const cuda::Launch search{.where = "operator PresencePack",
                              .stream = stream,
                              .blocks = 1,
                              .threads = dim3(kThreadsOfSearch)};
    cuda::launch(search, &find_slots<T>, packing, slots);
  }
  const std::int64_t rows = packing.rows * packing.slots;
  if (rows == 0) return;
  const auto how = cuda::launch_of_rows("operator PresencePack", stream, rows);
  constexpr int kWidest = cuda::kWidest<T>;
  const bool wide = cuda::fit_packs<kWidest>(packing.channels, packing.tokens, packing.packed);
  cuda::launch(how, wide ? &pack<kWidest, T> : &pack<1, T>, packing);
}

}  // namespace

void PresencePack::run_cuda(const Arguments& arguments, CudaStream stream) const {
  run_cuda_sized(arguments, nullptr, stream);
}

void PresencePack::run_cuda_sized(const Arguments& arguments, std::int32_t* slots,
                                  CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, slots, stream);
  } else {
    run<__half>(arguments, slots, stream);
  }
}

}  // namespace plait::ops
