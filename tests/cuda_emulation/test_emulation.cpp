// test_emulation.cpp: what CUDA promises holds under emulation, and what it leaves undefined is
// told.
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace {

template <typename... Parameters, typename... Values>
void launch(dim3 grid, dim3 block, std::size_t shared, void (*kernel)(Parameters...),
            Values... values) {
  const cudaLaunchConfig_t config{grid, block, shared, nullptr};
  cudaLaunchKernelEx(&config, kernel, values...);
}

__global__ void number(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  atomicAdd(&out[block * threads + thread], static_cast<int>(block * threads + thread));
}

TEST(CudaEmulation, RunsEveryThreadOfEveryBlockOnce) {
  std::vector<int> out(2 * 3 * 4 * 5 * 6 * 7, 0);
  launch(dim3(2, 3, 4), dim3(5, 6, 7), 0, &number, out.data());
  std::vector<int> expected(out.size());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(out, expected);
}

__global__ void turn_around(const int* in, int* out) {
  PLAIT_SHARED(int, tile, 100);
  tile[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

TEST(CudaEmulation, ABarrierLetsABlockExchangeThroughSharedMemory) {
  std::vector<int> in(300);
  std::iota(in.begin(), in.end(), 0);
  std::vector<int> out(300);
  launch(dim3(3), dim3(100), 0, &turn_around, in.data(), out.data());
  for (int i = 0; i < 300; ++i) EXPECT_EQ(out[i], i / 100 * 100 + 99 - i % 100);
}

__global__ void turn_around_without_a_barrier(int* out) {
  PLAIT_SHARED(int, tile, 64);
  tile[threadIdx.x] = static_cast<int>(threadIdx.x);
  out[blockIdx.x * blockDim.x + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

TEST(CudaEmulation, AMissingBarrierGivesAnotherResult) {
  std::vector<int> out(128);
  launch(dim3(2), dim3(64), 0, &turn_around_without_a_barrier, out.data());
  bool first_right = true;
  bool second_right = true;
  for (int i = 0; i < 64; ++i) {
    first_right = first_right && out[i] == 63 - i;
    second_right = second_right && out[64 + i] == 63 - i;
  }
  EXPECT_FALSE(first_right);
  EXPECT_FALSE(second_right);
}

__global__ void read_undefined(float* out) {
  PLAIT_SHARED(float, fixed, 1);
  PLAIT_DYNAMIC_SHARED(float, dynamic);
  out[2 * blockIdx.x] = fixed[0];
  out[2 * blockIdx.x + 1] = dynamic[0];
  fixed[0] = dynamic[0] = 1.0F;
}

TEST(CudaEmulation, SharedMemoryIsPoisonedBeforeEveryBlock) {
  std::vector<float> out(6, 0.0F);
  launch(dim3(3), dim3(1), sizeof(float), &read_undefined, out.data());
  for (const float value : out) EXPECT_TRUE(std::isnan(value));
}

template <int kElements>
__global__ void two_arrays(float* out) {
  PLAIT_SHARED(float, first, kElements);
  PLAIT_SHARED(float, second, kElements);
  first[threadIdx.x] = 1.0F;
  second[threadIdx.x] = 2.0F;
  __syncthreads();
  out[threadIdx.x] = first[kElements - 1 - threadIdx.x] + 10.0F * second[threadIdx.x];
}

TEST(CudaEmulation, EveryDeclarationOfSharedMemoryIsItsOwn) {
  std::vector<float> out(40);
  launch(dim3(1), dim3(40), 0, &two_arrays<40>, out.data());
  for (const float value : out) EXPECT_EQ(value, 21.0F);
  launch(dim3(1), dim3(3), 0, &two_arrays<3>, out.data());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(out[i], 21.0F);
}

__global__ void shuffles(int* out) {
  const int own = static_cast<int>(threadIdx.x);
  int* row = out + own * 6;
  row[0] = __shfl_sync(0xFFFFFFFFU, own, 5);
  row[1] = __shfl_sync(0xFFFFFFFFU, own, 1, 8);
  row[2] = __shfl_xor_sync(0xFFFFFFFFU, own, 16);
  row[3] = __shfl_down_sync(0xFFFFFFFFU, own, 3, 8);
  row[4] = __shfl_up_sync(0xFFFFFFFFU, own, 3);
  row[5] = static_cast<int>(__ballot_sync(0xFFFFFFFFU, own % 3 == 0));
}

TEST(CudaEmulation, ShufflesMoveValuesAsCudaDefinesThem) {
  std::vector<int> out(64 * 6);
  launch(dim3(1), dim3(64), 0, &shuffles, out.data());
  for (int i = 0; i < 64; ++i) {
    const int warp = i / 32 * 32;
    const int lane = i % 32;
    EXPECT_EQ(out[i * 6], warp + 5);
    EXPECT_EQ(out[i * 6 + 1], i / 8 * 8 + 1);
    EXPECT_EQ(out[i * 6 + 2], i ^ 16);
    EXPECT_EQ(out[i * 6 + 3], lane % 8 + 3 < 8 ? i + 3 : i);
    EXPECT_EQ(out[i * 6 + 4], lane >= 3 ? i - 3 : i);
    unsigned ballot = 0;
    for (int j = 0; j < 32; ++j) ballot |= static_cast<unsigned>((warp + j) % 3 == 0) << j;
    EXPECT_EQ(out[i * 6 + 5], static_cast<int>(ballot));
  }
}

__global__ void half_warp(int* out) {
  if (threadIdx.x >= 16) return;
  out[threadIdx.x] = __shfl_xor_sync(0x0000FFFFU, static_cast<int>(threadIdx.x), 1);
}

TEST(CudaEmulation, LanesOutsideOfTheMaskMayHaveEnded) {
  std::vector<int> out(16);
  launch(dim3(1), dim3(32), 0, &half_warp, out.data());
  for (int i = 0; i < 16; ++i) EXPECT_EQ(out[i], i ^ 1);
}

TEST(CudaEmulation, HalvesRoundToNearestEvenAndKeepWhatIsNotFinite) {
  EXPECT_EQ(__half2float(__float2half_rn(1.0F + 0x1p-11F)), 1.0F);
  EXPECT_EQ(__half2float(__float2half_rn(1.0F + 3 * 0x1p-11F)), 1.0F + 0x1p-9F);
  EXPECT_EQ(__half2float(__float2half_rn(65520.0F)), INFINITY);
  EXPECT_TRUE(std::isnan(__half2float(__float2half_rn(NAN))));
}

__global__ void ends_early() {
  if (threadIdx.x == 3) return;
  __syncthreads();
}
__global__ void waits_elsewhere() {
  if (threadIdx.x < 2) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void lane_is_missing(int* out) {
  if (threadIdx.x < 31) out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFU, 1, 1);
}
__global__ void reads_outside_of_the_mask(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000FFFFU, 1, 20);
}
__global__ void too_much_shared() {
  PLAIT_SHARED(float, much, 12289);
  much[0] = 0.0F;
}

TEST(CudaEmulationDeath, ABarrierThatAThreadDoesNotComeToIsTold) {
  EXPECT_DEATH(launch(dim3(1), dim3(64), 0, &ends_early), "divergent barrier.*thread 3 has ended");
  EXPECT_DEATH(launch(dim3(1), dim3(64), 0, &waits_elsewhere), "divergent barrier.*waits at");
}

TEST(CudaEmulationDeath, AShuffleThatALaneDoesNotComeToIsTold) {
  std::vector<int> out(32);
  EXPECT_DEATH(launch(dim3(1), dim3(32), 0, &lane_is_missing, out.data()), "a lane that ended");
  EXPECT_DEATH(launch(dim3(1), dim3(32), 0, &reads_outside_of_the_mask, out.data()),
               "a lane that does not take part");
}

TEST(CudaEmulationDeath, MoreThanADeviceHasIsTold) {
  EXPECT_DEATH(launch(dim3(1), dim3(1025), 0, &ends_early), "1 to 1024 threads");
  EXPECT_DEATH(launch(dim3(1), dim3(1), 0, &too_much_shared), "more shared memory");
}

#if defined(__SANITIZE_ADDRESS__)
__global__ void writes_beyond_shared() {
  PLAIT_SHARED(int, tile, 8);
  tile[threadIdx.x] = 1;
}

TEST(CudaEmulationDeath, AWriteBeyondSharedMemoryIsFoundByTheSanitizer) {
  EXPECT_DEATH(launch(dim3(1), dim3(9), 0, &writes_beyond_shared), "heap-buffer-overflow");
}
#endif

}  // namespace
