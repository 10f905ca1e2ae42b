// sound_transform-inl.hpp: pocketfft over Lanes, and the spectrum of as many frames as Lanes holds.
//
// Included inside a target's namespace, after its Lanes: hence no include guard, no includes and no
// namespace. The library's templates are then compiled for that target like our own.

#undef POCKETFFT_HDRONLY_H
#include <pocketfft_hdronly.h>

/// Memory of a transform's intermediate results: the engine's instead of the heap's.
template <>
class pocketfft::detail::arr<Lanes> {
 public:
  explicit arr(std::uint64_t /*count*/) {}
  Lanes& operator[](std::uint64_t i) { return data()[i]; }
  Lanes* data() { return static_cast<Lanes*>(transform_scratch); }
};

/// Natural logarithm of normal numbers above zero: x = 2^e m, m from sqrt(1/2) to sqrt(2), and
/// ln m = 2 artanh((m - 1) / (m + 1)) by its series, whose first term left out is below 1e-13.
HWY_INLINE Lanes natural_logarithm(const Lanes& x) {
  Lanes exponent;
  Lanes mantissa;
  x.split(exponent, mantissa);
  const Lanes one = Lanes::all(1.0);
  const Lanes s = (mantissa - one) / (mantissa + one);
  const Lanes z = s * s;
  Lanes series = Lanes::all(1.0 / 15.0);
  for (const double coefficient :
       {1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0}) {
    series = series * z + Lanes::all(coefficient);
  }
  return exponent * Lanes::all(0.69314718055994530942) + (s + s) * series;
}

class Engine final : public SpectrumEngine {
 public:
  explicit Engine(const SpectrumRule& rule)
      : rule_(rule), transform_(static_cast<std::uint64_t>(rule.fft)) {}

  std::int64_t work_values() const noexcept override {
    return (2 * rule_.fft + Lanes::kCount) * Lanes::kCount;
  }

  void run(const SpectrumJob& job) const override {
    auto* values = reinterpret_cast<Lanes*>(job.work);
    transform_scratch = values + rule_.fft;
    SpectrumJob part = job;
    for (std::int64_t done = 0; done < job.frames; done += Lanes::kCount) {
      part.samples = job.samples + done * rule_.step;
      part.out = job.out + done * job.frame_step;
      part.frames = std::min<std::int64_t>(job.frames - done, Lanes::kCount);
      load(part, values);
      transform_.exec(values, 1.0, true);
      square(values);
      sum_bands(part, values);
    }
  }

 private:
  /// Weighed samples, and zeros up to the transform's points.
  void load(const SpectrumJob& job, Lanes* values) const {
    const double* rows[Lanes::kCount];
    for (std::int64_t f = 0; f < Lanes::kCount; ++f) {
      rows[f] = job.samples + std::min(f, job.frames - 1) * rule_.step;
    }
    const std::int64_t length = rule_.length;
    const double* window = rule_.window.data();
    for (std::int64_t i = 0; i < length; i += Lanes::kCount) {
      // The last of them may be longer than the frame, but not than the room for the transform
      // and its scratch.
      Lanes::load_columns(rows, i, values + i);
    }
    if (rule_.remove_mean) remove_mean(values);
    if (rule_.preemphasis != 0.0) {
      const Lanes factor = Lanes::all(rule_.preemphasis);
      for (std::int64_t i = length - 1; i > 0; --i) {
        values[i] = (values[i] - factor * values[i - 1]) * Lanes::all(window[i]);
      }
      values[0] = (values[0] - factor * values[0]) * Lanes::all(window[0]);
    } else {
      for (std::int64_t i = 0; i < length; ++i) values[i] = values[i] * Lanes::all(window[i]);
    }
    for (std::int64_t i = length; i < rule_.fft; ++i) values[i] = Lanes::all(0.0);
  }

  /// Four running sums: one would wait for itself.
  void remove_mean(Lanes* values) const {
    Lanes sums[4] = {Lanes::all(0.0), Lanes::all(0.0), Lanes::all(0.0), Lanes::all(0.0)};
    for (std::int64_t i = 0; i < rule_.length; ++i) sums[i % 4] = sums[i % 4] + values[i];
    const Lanes mean = ((sums[0] + sums[1]) + (sums[2] + sums[3])) *
                       Lanes::all(1.0 / static_cast<double>(rule_.length));
    for (std::int64_t i = 0; i < rule_.length; ++i) values[i] = values[i] - mean;
  }

  /// values: r0 r1 i1 r2 i2 ... r(fft / 2) become |X0|^2 |X1|^2 ..., or their roots.
  void square(Lanes* values) const {
    const std::int64_t half = rule_.fft / 2;
    values[0] = values[0] * values[0];
    for (std::int64_t k = 1; k < half; ++k) {
      const Lanes real = values[2 * k - 1];
      const Lanes imaginary = values[2 * k];
      values[k] = real * real + imaginary * imaginary;
    }
    values[half] = values[rule_.fft - 1] * values[rule_.fft - 1];
    if (!rule_.magnitude) return;
    for (std::int64_t k = 0; k <= half; ++k) values[k] = square_root(values[k]);
  }

  void sum_bands(const SpectrumJob& job, const Lanes* powers) const {
    const Lanes floor = Lanes::all(rule_.floor);
    const Lanes offset = Lanes::all(rule_.offset);
    const Lanes scale = Lanes::all(rule_.scale);
    float* out = job.out;
    for (const MelBand& band : rule_.mel.bands) {
      const double* weights = rule_.mel.weights.data() + band.offset;
      const Lanes* first = powers + band.first;
      Lanes sum = Lanes::all(0.0);
      for (std::int64_t k = 0; k < band.count; ++k) sum = sum + weights[k] * first[k];
      if (rule_.logarithm) {
        sum = natural_logarithm(greater(sum, floor) + offset) * scale;
      }
      sum.store(out, job.frame_step, job.frames);
      out += job.band_step;
    }
  }

  SpectrumRule rule_;
  pocketfft::detail::rfftp<double> transform_;
};

std::unique_ptr<SpectrumEngine> make_engine(const SpectrumRule& rule) {
  return std::make_unique<Engine>(rule);
}
