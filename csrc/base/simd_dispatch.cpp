// simd_dispatch.cpp: what the processor says of itself.
#include "base/simd_dispatch.hpp"

#include <cstdio>
#include <cstdlib>

namespace hwy {

/// Where Highway's headers end when a check of their own fails; its library would define it.
HWY_NORETURN void Abort(const char* file, int line, const char* format, ...) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, format);
  std::abort();
}

}  // namespace hwy

namespace plait::detail {

bool machine_runs(SimdTarget target) noexcept {
#if HWY_ARCH_X86
  __builtin_cpu_init();
  const bool ssse3 = __builtin_cpu_supports("ssse3") != 0;
  const bool sse4 = ssse3 && __builtin_cpu_supports("sse4.2") != 0 &&
                    __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("aes") != 0;
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") != 0 &&
                    __builtin_cpu_supports("fma") != 0 && __builtin_cpu_supports("bmi2") != 0;
  switch (target) {
    case SimdTarget::kAvx3:
      return avx2 && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512cd") != 0 &&
             __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
    case SimdTarget::kAvx2:
      return avx2;
    case SimdTarget::kSse4:
      return sse4;
    case SimdTarget::kSsse3:
      return ssse3;
    case SimdTarget::kNeon:
      return false;
  }
  return false;
#else
  return target == SimdTarget::kNeon && HWY_ARCH_ARM_A64 != 0;
#endif
}

}  // namespace plait::detail
