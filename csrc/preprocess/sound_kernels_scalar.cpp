// sound_kernels_scalar.cpp: one frame at a time, one product after another: the specification.
#include "hwy/base.h"
#include "preprocess/sound_kernels.hpp"
#include "preprocess/sound_transform_includes.hpp"

namespace plait::detail {
namespace {

/// One float64 value, with what a vector of them offers.
struct Lanes {
  static constexpr std::int64_t kCount = 1;
  double value;

  static Lanes all(double x) { return {x}; }
  static void load_columns(const double* const* rows, std::int64_t i, Lanes* out) {
    out->value = rows[0][i];
  }
  void store(float* out, std::int64_t /*step*/, std::int64_t /*count*/) const {
    *out = static_cast<float>(value);
  }
  /// value = 2^exponent mantissa, mantissa from sqrt(1/2) to sqrt(2).
  void split(Lanes& exponent, Lanes& mantissa) const {
    constexpr std::uint64_t kRootOfHalf = 0x3FE6A09E667F3BCD;
    constexpr std::uint64_t kOne = 0x3FF0000000000000;
    constexpr std::uint64_t kMantissaBits = 0x000FFFFFFFFFFFFF;
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    bits += kOne - kRootOfHalf;
    exponent.value = static_cast<double>(static_cast<std::int64_t>(bits >> 52) - 1023);
    bits = (bits & kMantissaBits) + kRootOfHalf;
    std::memcpy(&mantissa.value, &bits, sizeof(bits));
  }

  Lanes operator-() const { return {-value}; }
  Lanes& operator+=(Lanes other) { return *this = {value + other.value}; }
  Lanes& operator-=(Lanes other) { return *this = {value - other.value}; }
  Lanes& operator*=(double factor) { return *this = {value * factor}; }
  friend Lanes operator+(Lanes a, Lanes b) { return {a.value + b.value}; }
  friend Lanes operator-(Lanes a, Lanes b) { return {a.value - b.value}; }
  friend Lanes operator*(Lanes a, Lanes b) { return {a.value * b.value}; }
  friend Lanes operator*(double a, Lanes b) { return {a * b.value}; }
  friend Lanes operator*(Lanes a, double b) { return {a.value * b}; }
  friend Lanes operator/(Lanes a, Lanes b) { return {a.value / b.value}; }
  friend Lanes greater(Lanes a, Lanes b) { return {a.value > b.value ? a.value : b.value}; }
  friend Lanes square_root(Lanes a) { return {std::sqrt(a.value)}; }
};

#include "preprocess/sound_transform-inl.hpp"

void resample(const ResampleJob& job) {
  std::int64_t position = job.position;
  std::int64_t phase = job.phase;
  for (std::int64_t i = 0; i < job.count; ++i) {
    const double* input = job.input + position;
    const double* weights = job.weights + phase * job.taps;
    double sums[kResampleLanes] = {};
    for (std::int64_t k = 0; k < job.taps; k += kResampleLanes) {
      for (std::int64_t j = 0; j < kResampleLanes; ++j) sums[j] += weights[k + j] * input[k + j];
    }
    for (std::int64_t width = kResampleLanes / 2; width > 0; width /= 2) {
      for (std::int64_t j = 0; j < width; ++j) sums[j] += sums[j + width];
    }
    job.out[i] = sums[0];
    position += job.position_step;
    phase += job.phase_step;
    if (phase >= job.phases) {
      phase -= job.phases;
      ++position;
    }
  }
}

}  // namespace

const SoundKernels& scalar_sound_kernels() {
  static const SoundKernels table = {"scalar", Lanes::kCount, &make_engine, &resample};
  return table;
}

}  // namespace plait::detail
