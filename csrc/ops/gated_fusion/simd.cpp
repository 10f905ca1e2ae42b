// gated_fusion/simd.cpp: one token at a time, its sum kept in the output's row, over the pool.
#include <algorithm>
#include <cmath>

#include "ops/gated_fusion/op.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/gated_fusion/simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

#ifndef PLAIT_GATED_FUSION_ROWS
#define PLAIT_GATED_FUSION_ROWS
namespace plait::ops {

/// Tokens [begin, end) of a call; row is float32 working memory of one token, or nullptr where the
/// output's own row serves.
struct GatedRows {
  const Arguments* arguments = nullptr;
  float epsilon = 0.0F;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  float* row = nullptr;
};

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// exp(x), x from -88 to 88, but for float32's last bits: 2^n times a polynomial of what is left of
/// x, with the coefficients of Cephes' expf (Moshier). Without the care for the ends of float32's
/// range that Highway's takes.
inline Vector exp_bounded(Floats d, Vector x) {
  const hn::RebindToSigned<Floats> di;
  const Vector n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504F)));
  // ln 2 in two parts, so that n times it loses nothing.
  const Vector rest =
      hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), hn::NegMulAdd(n, hn::Set(d, 0.693359375F), x));
  Vector sum = hn::Set(d, 1.9875691500e-4F);
  sum = hn::MulAdd(sum, rest, hn::Set(d, 1.3981999507e-3F));
  sum = hn::MulAdd(sum, rest, hn::Set(d, 8.3334519073e-3F));
  sum = hn::MulAdd(sum, rest, hn::Set(d, 4.1665795894e-2F));
  sum = hn::MulAdd(sum, rest, hn::Set(d, 1.6666665459e-1F));
  sum = hn::MulAdd(sum, rest, hn::Set(d, 5.0000001201e-1F));
  sum = hn::MulAdd(sum, hn::Mul(rest, rest), hn::Add(rest, hn::Set(d, 1.0F)));
  const auto power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  return hn::Mul(sum, hn::BitCast(d, power));
}

/// 1 / (1 + exp(-gate)); NaN stays NaN.
inline Vector sigmoid(Floats d, Vector gate) {
  // Beyond this the sigmoid is 0 or 1 in float32, and exp would leave its range.
  const Vector limit = hn::Set(d, 88.0F);
  const Vector bounded = hn::Min(hn::Max(gate, hn::Neg(limit)), limit);
  const Vector denominator = hn::Add(hn::Set(d, 1.0F), exp_bounded(d, hn::Neg(bounded)));
  // An estimate and one Newton step are within 2^-22, at a third of a division's time.
  const Vector estimate = hn::ApproximateReciprocal(denominator);
  const Vector value = hn::Mul(estimate, hn::NegMulAdd(denominator, estimate, hn::Set(d, 2.0F)));
  return hn::IfThenElse(hn::IsNaN(gate), gate, value);
}

/// The last channels of a row, fewer than a vector, pass through small buffers.
template <typename T>
void fuse_rows_of(const GatedRows& rows) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const Arguments& arguments = *rows.arguments;
  const Shape& shape = arguments.shape(0);
  const std::int64_t modalities = shape[0];
  const std::int64_t channels = shape[2];
  const std::int64_t plane = shape[1] * channels;
  const auto* gate = static_cast<const T*>(arguments.inputs[0].data);
  const auto* x = static_cast<const T*>(arguments.inputs[1].data);
  const auto* scale = static_cast<const T*>(arguments.inputs[2].data);
  const auto* shift = static_cast<const T*>(arguments.inputs[3].data);
  auto* y = static_cast<T*>(arguments.outputs[0].data);

  HWY_ALIGN T tail_gate[HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN T tail_x[HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float tail_sum[HWY_MAX_BYTES / sizeof(float)] = {};
  const std::int64_t whole = channels - channels % width;
  const auto rest = static_cast<std::size_t>(channels - whole);

  for (std::int64_t t = rows.begin; t < rows.end; ++t) {
    float* row = rows.row != nullptr ? rows.row : reinterpret_cast<float*>(y + t * channels);
    Vector total = hn::Zero(d);
    for (std::int64_t c = 0; c < whole; c += width) {
      Vector sum = hn::Zero(d);
      for (std::int64_t m = 0; m < modalities; ++m) {
        const std::int64_t i = m * plane + t * channels + c;
        sum = hn::MulAdd(load(d, x + i), sigmoid(d, load(d, gate + i)), sum);
      }
      hn::StoreU(sum, d, row + c);
      total = hn::Add(total, sum);
    }
    float mean = hn::GetLane(hn::SumOfLanes(d, total));
    if (rest > 0) {
      Vector sum = hn::Zero(d);
      for (std::int64_t m = 0; m < modalities; ++m) {
        const std::int64_t i = m * plane + t * channels + whole;
        std::copy_n(gate + i, rest, tail_gate);
        std::copy_n(x + i, rest, tail_x);
        sum = hn::MulAdd(load(d, tail_x), sigmoid(d, load(d, tail_gate)), sum);
      }
      hn::Store(sum, d, tail_sum);
      std::copy_n(tail_sum, rest, row + whole);
      for (std::size_t i = 0; i < rest; ++i) mean += tail_sum[i];
    }
    mean /= static_cast<float>(channels);

    Vector squares = hn::Zero(d);
    const Vector means = hn::Set(d, mean);
    for (std::int64_t c = 0; c < whole; c += width) {
      const Vector difference = hn::Sub(hn::LoadU(d, row + c), means);
      squares = hn::MulAdd(difference, difference, squares);
    }
    float variance = hn::GetLane(hn::SumOfLanes(d, squares));
    for (std::int64_t c = whole; c < channels; ++c) {
      variance += (row[c] - mean) * (row[c] - mean);
    }
    variance /= static_cast<float>(channels);

    const float inverse = 1.0F / std::sqrt(variance + rows.epsilon);
    const Vector factor = hn::Set(d, inverse);
    T* out = y + t * channels;
    for (std::int64_t c = 0; c < whole; c += width) {
      const Vector normalized = hn::Mul(hn::Sub(hn::LoadU(d, row + c), means), factor);
      store(d, hn::MulAdd(normalized, load(d, scale + c), load(d, shift + c)), out + c);
    }
    if (rest > 0) {
      HWY_ALIGN T tail_scale[HWY_MAX_BYTES / sizeof(float)] = {};
      HWY_ALIGN T tail_out[HWY_MAX_BYTES / sizeof(float)] = {};
      std::copy_n(scale + whole, rest, tail_scale);
      std::copy_n(shift + whole, rest, tail_x);
      std::copy_n(row + whole, rest, tail_sum);
      const Vector normalized = hn::Mul(hn::Sub(hn::Load(d, tail_sum), means), factor);
      store(d, hn::MulAdd(normalized, load(d, tail_scale), load(d, tail_x)), tail_out);
      std::copy_n(tail_out, rest, out + whole);
    }
  }
}

void fuse_rows(const GatedRows& rows) {
  if (rows.arguments->inputs[0].dtype == DType::kFloat32) {
    fuse_rows_of<float>(rows);
  } else {
    fuse_rows_of<hwy::float16_t>(rows);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {

void GatedFusion::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto fuse = PLAIT_SIMD_CHOOSE(fuse_rows);
  if (fuse == nullptr) return run_scalar(arguments);
  const std::int64_t tokens = arguments.shape(0)[1];
  const std::int64_t channels = arguments.shape(0)[2];
  // One share a thread: a share has a row of scratch of its own.
  const std::int64_t shares =
      std::clamp<std::int64_t>(parallel.threads(), 1, std::max<std::int64_t>(tokens, 1));
  const bool half = arguments.inputs[0].dtype != DType::kFloat32;
  auto* scratch = reinterpret_cast<float*>(arguments.scratch.data());
  const auto fuse_share = [&](std::size_t share) {
    const auto s = static_cast<std::int64_t>(share);
    fuse({&arguments, epsilon, tokens * s / shares, tokens * (s + 1) / shares,
          half ? scratch + s * channels : nullptr});
  };
  parallel.run(static_cast<std::size_t>(shares), fuse_share);
}

}  // namespace plait::ops
#endif
