// skeleton/simd.cpp: rows shared out over the threads, a vector of channels at a time.
#include <algorithm>

#include "ops/skeleton/op.hpp"

// Highway compiles the rest of this file once for each vector target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/skeleton/simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

template <typename T>
void scale_rows_of(const Arguments& arguments, float gain, std::int64_t begin, std::int64_t end) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t channels = arguments.shape(0)[1];
  const auto* offset = static_cast<const T*>(arguments.inputs[1].data);
  const Vector factor = hn::Set(d, gain);
  // Not MulAdd, which rounds once where a target has it and twice elsewhere.
  const auto scaled = [&](Vector x, Vector shift)
                          HWY_ATTR { return hn::Add(hn::Mul(x, factor), shift); };
  for (std::int64_t row = begin; row < end; ++row) {
    const T* x = static_cast<const T*>(arguments.inputs[0].data) + row * channels;
    T* y = static_cast<T*>(arguments.outputs[0].data) + row * channels;
    std::int64_t c = 0;
    for (; c + width <= channels; c += width) {
      store(d, scaled(load(d, x + c), load(d, offset + c)), y + c);
    }
    // The last channels, fewer than a vector.
    if (c < channels) {
      const auto rest = static_cast<std::size_t>(channels - c);
      const Vector last = scaled(load_some(d, x + c, rest), load_some(d, offset + c, rest));
      store_some(d, last, y + c, rest);
    }
  }
}

void scale_rows(const Arguments& arguments, float gain, std::int64_t begin, std::int64_t end) {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    scale_rows_of<float>(arguments, gain, begin, end);
  } else {
    scale_rows_of<hwy::float16_t>(arguments, gain, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

// From here on once: the choice of the target, and the threads.
#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {

void Skeleton::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto scale = PLAIT_SIMD_CHOOSE(scale_rows);
  if (scale == nullptr) return run_scalar(arguments);
  const std::int64_t rows = arguments.shape(0)[0];
  const std::int64_t shares = std::clamp<std::int64_t>(rows, 1, parallel.threads());
  const auto scale_share = [&](std::size_t index) {
    const auto share = static_cast<std::int64_t>(index);
    scale(arguments, gain, rows * share / shares, rows * (share + 1) / shares);
  };
  parallel.run(static_cast<std::size_t>(shares), scale_share);
}

}  // namespace plait::ops
#endif
