// sound_kernels_simd.cpp: the inner loops of sound for every vector target.
//
// Highway compiles this file once a target, see frame_kernels_simd.cpp.
#include "preprocess/sound_kernels.hpp"
#include "preprocess/sound_transform_includes.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "preprocess/sound_kernels_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

// A machine without vectors of float64 runs the plain loops.
#if HWY_TARGET != HWY_SCALAR && HWY_HAVE_FLOAT64
HWY_BEFORE_NAMESPACE();
namespace plait::detail {
namespace HWY_NAMESPACE {
namespace sound {  // other files of this library have names in the target's namespace too

namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::ScalableTag<double>;
using Bits = hn::RebindToUnsigned<Doubles>;

/// One value of as many frames as a vector holds.
struct Lanes {
  static constexpr std::int64_t kCount = hn::MaxLanes(Doubles());
  hn::Vec<Doubles> value;

  // Written out, as constructors that the compiler makes are not compiled for the target.
  HWY_INLINE Lanes() {}
  HWY_INLINE Lanes(hn::Vec<Doubles> vector) : value(vector) {}

  static HWY_INLINE Lanes all(double x) { return {hn::Set(Doubles(), x)}; }

  /// out[k] = rows[...][i + k], for k below kCount.
  static HWY_INLINE void load_columns(const double* const* rows, std::int64_t i, Lanes* out) {
    transpose<kCount>(rows, i, out);
  }

  /// A template, so that only the case of this target is compiled.
  template <std::int64_t kSize>
  static HWY_INLINE void transpose(const double* const* rows, std::int64_t i, Lanes* out) {
    const Doubles d;
    hn::Vec<Doubles> v[kSize];
    for (std::int64_t f = 0; f < kSize; f += 2) {
      const auto a = hn::LoadU(d, rows[f] + i);
      const auto b = hn::LoadU(d, rows[f + 1] + i);
      v[f] = hn::InterleaveLower(d, a, b);
      v[f + 1] = hn::InterleaveUpper(d, a, b);
    }
    if constexpr (kSize == 2) {
      out[0].value = v[0];
      out[1].value = v[1];
    } else if constexpr (kSize == 4) {
      out[0].value = hn::ConcatLowerLower(d, v[2], v[0]);
      out[1].value = hn::ConcatLowerLower(d, v[3], v[1]);
      out[2].value = hn::ConcatUpperUpper(d, v[2], v[0]);
      out[3].value = hn::ConcatUpperUpper(d, v[3], v[1]);
    } else {
      static_assert(kSize == 8);
      for (std::int64_t odd = 0; odd < 2; ++odd) {
        // Blocks are pairs of frames: first their halves change places, then their neighbours.
        const auto low0 = hn::ConcatLowerLower(d, v[4 + odd], v[odd]);
        const auto low1 = hn::ConcatLowerLower(d, v[6 + odd], v[2 + odd]);
        const auto high0 = hn::ConcatUpperUpper(d, v[4 + odd], v[odd]);
        const auto high1 = hn::ConcatUpperUpper(d, v[6 + odd], v[2 + odd]);
        out[odd].value = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(low1), low0);
        out[2 + odd].value = hn::OddEvenBlocks(low1, hn::SwapAdjacentBlocks(low0));
        out[4 + odd].value = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(high1), high0);
        out[6 + odd].value = hn::OddEvenBlocks(high1, hn::SwapAdjacentBlocks(high0));
      }
    }
  }

  /// The first count lanes, a step apart, in float32.
  HWY_INLINE void store(float* out, std::int64_t step, std::int64_t count) const {
    const hn::Rebind<float, Doubles> narrow;
    const auto values = hn::DemoteTo(narrow, value);
    if (step == 1 && count == kCount) {
      hn::StoreU(values, narrow, out);
      return;
    }
    HWY_ALIGN float lanes[kCount];
    hn::Store(values, narrow, lanes);
    for (std::int64_t f = 0; f < count; ++f) out[f * step] = lanes[f];
  }

  /// value = 2^exponent mantissa, mantissa from sqrt(1/2) to sqrt(2).
  HWY_INLINE void split(Lanes& exponent, Lanes& mantissa) const {
    constexpr std::uint64_t kRootOfHalf = 0x3FE6A09E667F3BCD;
    constexpr std::uint64_t kOne = 0x3FF0000000000000;
    constexpr std::uint64_t kMantissaBits = 0x000FFFFFFFFFFFFF;
    // Behind these bits of 2^52, the lowest bits count ones.
    constexpr std::uint64_t kTwoTo52 = 0x4330000000000000;
    const Doubles d;
    const Bits b;
    const auto bits = hn::Add(hn::BitCast(b, value), hn::Set(b, kOne - kRootOfHalf));
    const auto counted = hn::Or(hn::ShiftRight<52>(bits), hn::Set(b, kTwoTo52));
    exponent.value = hn::Sub(hn::BitCast(d, counted), hn::Set(d, 0x1.0p52 + 1023.0));
    const auto rest = hn::Add(hn::And(bits, hn::Set(b, kMantissaBits)), hn::Set(b, kRootOfHalf));
    mantissa.value = hn::BitCast(d, rest);
  }

  HWY_INLINE Lanes operator-() const { return {hn::Neg(value)}; }
  HWY_INLINE Lanes& operator+=(const Lanes& other) { return *this = *this + other; }
  HWY_INLINE Lanes& operator-=(const Lanes& other) { return *this = *this - other; }
  HWY_INLINE Lanes& operator*=(double factor) { return *this = *this * factor; }
  friend HWY_INLINE Lanes operator+(const Lanes& a, const Lanes& b) {
    return {hn::Add(a.value, b.value)};
  }
  friend HWY_INLINE Lanes operator-(const Lanes& a, const Lanes& b) {
    return {hn::Sub(a.value, b.value)};
  }
  friend HWY_INLINE Lanes operator*(const Lanes& a, const Lanes& b) {
    return {hn::Mul(a.value, b.value)};
  }
  friend HWY_INLINE Lanes operator*(double a, const Lanes& b) { return all(a) * b; }
  friend HWY_INLINE Lanes operator*(const Lanes& a, double b) { return a * all(b); }
  friend HWY_INLINE Lanes operator/(const Lanes& a, const Lanes& b) {
    return {hn::Div(a.value, b.value)};
  }
  friend HWY_INLINE Lanes greater(const Lanes& a, const Lanes& b) {
    return {hn::Max(a.value, b.value)};
  }
  friend HWY_INLINE Lanes square_root(const Lanes& a) { return {hn::Sqrt(a.value)}; }
};

#include "preprocess/sound_transform-inl.hpp"

/// kOutputs outputs of one phase, that many inputs and outputs apart.
template <std::int64_t kOutputs>
void resample_phase(const ResampleJob& job, const double* input, const double* weights,
                    double* out) {
  constexpr std::int64_t kWidth = Lanes::kCount;
  constexpr std::int64_t kVectors = kResampleLanes / kWidth;
  const Doubles d;
  const std::int64_t inputs_apart = job.phases * job.position_step + job.phase_step;
  // Arrays of constant length are taken apart into registers, of which two vectors by outputs fit.
  constexpr std::int64_t kPart = kVectors < 2 ? kVectors : 2;
  hn::Vec<Doubles> sums[kOutputs][kVectors];
  for (std::int64_t first = 0; first < kVectors; first += kPart) {
    hn::Vec<Doubles> part[kOutputs][kPart];
    for (auto& of_output : part) {
      for (auto& sum : of_output) sum = hn::Zero(d);
    }
    for (std::int64_t k = first * kWidth; k < job.taps; k += kResampleLanes) {
      for (std::int64_t v = 0; v < kPart; ++v) {
        const auto weight = hn::LoadU(d, weights + k + v * kWidth);
        for (std::int64_t o = 0; o < kOutputs; ++o) {
          const auto value = hn::LoadU(d, input + o * inputs_apart + k + v * kWidth);
          // Not MulAdd, which rounds once where a target fuses it and twice elsewhere.
          part[o][v] = hn::Add(part[o][v], hn::Mul(weight, value));
        }
      }
    }
    for (std::int64_t o = 0; o < kOutputs; ++o) {
      for (std::int64_t v = 0; v < kPart; ++v) sums[o][first + v] = part[o][v];
    }
  }
  for (std::int64_t o = 0; o < kOutputs; ++o) {
    for (std::int64_t width = kVectors / 2; width > 0; width /= 2) {
      for (std::int64_t v = 0; v < width; ++v) sums[o][v] = hn::Add(sums[o][v], sums[o][v + width]);
    }
    HWY_ALIGN double rest[kWidth];
    hn::Store(sums[o][0], d, rest);
    for (std::int64_t width = kWidth / 2; width > 0; width /= 2) {
      for (std::int64_t j = 0; j < width; ++j) rest[j] += rest[j + width];
    }
    out[o * job.phases] = rest[0];
  }
}

/// Phase by phase: outputs of one share its weights.
void resample(const ResampleJob& job) {
  constexpr std::int64_t kTogether = 4;
  const std::int64_t inputs_apart = job.phases * job.position_step + job.phase_step;
  std::int64_t position = job.position;
  std::int64_t phase = job.phase;
  for (std::int64_t first = 0; first < std::min(job.phases, job.count); ++first) {
    const double* weights = job.weights + phase * job.taps;
    const double* input = job.input + position;
    std::int64_t i = first;
    for (; i + (kTogether - 1) * job.phases < job.count; i += kTogether * job.phases) {
      resample_phase<kTogether>(job, input, weights, job.out + i);
      input += kTogether * inputs_apart;
    }
    for (; i < job.count; i += job.phases) {
      resample_phase<1>(job, input, weights, job.out + i);
      input += inputs_apart;
    }
    position += job.position_step;
    phase += job.phase_step;
    if (phase >= job.phases) {
      phase -= job.phases;
      ++position;
    }
  }
}

const SoundKernels& kernels() {
  static const SoundKernels table = {hwy::TargetName(HWY_TARGET), Lanes::kCount, &make_engine,
                                     &resample};
  return table;
}

}  // namespace sound
}  // namespace HWY_NAMESPACE
}  // namespace plait::detail
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::detail {

std::vector<const SoundKernels*> sound_kernels() {
  std::vector<const SoundKernels*> runnable;
#if HWY_TARGETS & HWY_AVX3
  if (machine_runs(SimdTarget::kAvx3)) runnable.push_back(&N_AVX3::sound::kernels());
#endif
#if HWY_TARGETS & HWY_AVX2
  if (machine_runs(SimdTarget::kAvx2)) runnable.push_back(&N_AVX2::sound::kernels());
#endif
#if HWY_TARGETS & HWY_SSE4
  if (machine_runs(SimdTarget::kSse4)) runnable.push_back(&N_SSE4::sound::kernels());
#endif
#if HWY_TARGETS & HWY_SSSE3
  if (machine_runs(SimdTarget::kSsse3)) runnable.push_back(&N_SSSE3::sound::kernels());
#endif
#if HWY_TARGETS & HWY_NEON
  if (machine_runs(SimdTarget::kNeon)) runnable.push_back(&N_NEON::sound::kernels());
#endif
  runnable.push_back(&scalar_sound_kernels());
  return runnable;
}

const SoundKernels& best_sound_kernels() {
  static const SoundKernels& best = *sound_kernels().front();
  return best;
}

}  // namespace plait::detail
#endif  // HWY_ONCE
