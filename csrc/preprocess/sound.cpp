// sound.cpp: cuts the window out of a sound, and turns it into the encoder's input.
#include "preprocess/sound.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "plait/error.hpp"
#include "preprocess/sound_converter.hpp"
#include "preprocess/sound_features.hpp"
#include "preprocess/sound_framer.hpp"

namespace plait::detail {
namespace {

constexpr std::int64_t kZeroBlock = 2048;
constexpr double kLeastVariance = 1e-7;  // as wav2vec 2.0's feature extractor

/// The part of a sound, at the encoder's rate, that is in the window.
struct Cut {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

struct SoundScratch final : PrepareScratch {
  explicit SoundScratch(const SoundRule& rule) : tables(rule), converter(rule) {
    if (!rule.waveform()) framer.emplace(rule.description.mel, *rule.engine);
  }

  ResamplerTables tables;
  SoundConverter converter;
  std::optional<SoundFramer> framer;
  std::vector<double> samples;  // of a window that is needed as a whole
  std::vector<float> logs;      // [frames][bins] of MFCC
  std::vector<double> sums;     // [coefficients] of MFCC
};

class SoundPreprocessor final : public Preprocessor {
 public:
  SoundPreprocessor(const ModalityDescription& modality, std::string where,
                    const SoundKernels& kernels)
      : rule_(modality.sound, std::move(where), kernels) {}

  Shape input_shape() const override {
    if (rule_.waveform()) return {1, description().window};
    return description().frames_first ? Shape{1, rule_.frames(), rule_.bands()}
                                      : Shape{1, rule_.bands(), rule_.frames()};
  }

  std::unique_ptr<PrepareScratch> make_scratch() const override {
    return std::make_unique<SoundScratch>(rule_);
  }

  void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const override {
    const auto& sound =
        sample_as<Sound>(sample, rule_.where, "Pass the microphone's samples, [frames, channels].");
    const SoundView view = checked_sound(sound, description(), rule_.where);
    auto& kept = static_cast<SoundScratch&>(scratch);
    const ResamplerTable* table = kept.tables.of(view.rate_hz);
    const Cut cut = cut_of(table == nullptr ? view.frames : table->outputs(view.frames));
    auto* target = static_cast<float*>(out.data);
    if (rule_.waveform()) {
      write_waveform(view, table, cut, kept, target);
    } else {
      write_features(view, table, cut, kept, target);
    }
  }

 private:
  const SoundDescription& description() const noexcept { return rule_.description; }

  [[noreturn]] void refuse(const char* how, std::int64_t samples, const char* action) const {
    const std::string rate = " samples at " + std::to_string(rule_.rate_hz()) + " Hz";
    throw SampleError({.where = rule_.where,
                       .expected = how + std::to_string(description().window) + rate,
                       .got = std::to_string(samples),
                       .action = action});
  }

  Cut cut_of(std::int64_t samples) const {
    const std::int64_t window = description().window;
    if (samples > window) {
      if (description().longer == SoundLonger::kRefuse) {
        refuse("at most ", samples,
               "Cut the sound, or describe which part of a longer one counts.");
      }
      return {description().longer == SoundLonger::kLast ? samples - window : 0, window};
    }
    if (samples < window && description().shorter == SoundShorter::kRefuse) {
      refuse("at least ", samples, "Record longer, or describe how a shorter sound is filled up.");
    }
    if (!rule_.waveform() && description().shorter == SoundShorter::kPad &&
        description().mel.frames_of(samples) < 1) {
      refuse("enough for one analysis frame, of ", samples, "Record longer.");
    }
    return {0, samples};
  }

  /// Gives the sink the samples of the cut, mixed and resampled.
  static void each_sample(const SoundView& view, const ResamplerTable* table, const Cut& cut,
                          SoundConverter& converter, SampleSink sink) {
    std::int64_t left = cut.count;
    auto limited = [&](std::span<const double> samples) {
      const std::int64_t taken = std::min(left, static_cast<std::int64_t>(samples.size()));
      left -= taken;
      if (taken > 0) sink(samples.first(static_cast<std::size_t>(taken)));
    };
    std::int64_t end = cut.first + cut.count;
    if (table != nullptr) end = std::min(view.frames, table->inputs_before(end));
    const std::int64_t begin = converter.begin(table, cut.first);
    converter.convert(view, begin, end, limited);
    converter.finish(limited);
  }

  /// The whole window, in kept.samples.
  void collect(const SoundView& view, const ResamplerTable* table, const Cut& cut,
               SoundScratch& kept) const {
    const auto window = static_cast<std::size_t>(description().window);
    kept.samples.resize(window);
    std::size_t filled = 0;
    auto collector = [&](std::span<const double> samples) {
      std::copy(samples.begin(), samples.end(), kept.samples.data() + filled);
      filled += samples.size();
    };
    each_sample(view, table, cut, kept.converter, collector);
    const bool repeat = description().shorter == SoundShorter::kRepeat;
    for (std::size_t i = filled; i < window; ++i) {
      kept.samples[i] = repeat ? kept.samples[i - filled] : 0.0;
    }
  }

  void write_waveform(const SoundView& view, const ResamplerTable* table, const Cut& cut,
                      SoundScratch& kept, float* out) const {
    collect(view, table, cut, kept);
    const auto count = static_cast<double>(kept.samples.size());
    double shift = 0.0;
    double factor = 1.0;
    if (description().standardize) {
      for (const double sample : kept.samples) shift += sample;
      shift /= count;
      double squares = 0.0;
      for (const double sample : kept.samples) squares += (sample - shift) * (sample - shift);
      factor = 1.0 / std::sqrt(squares / count + kLeastVariance);
    }
    const double mean = rule_.mean(0);
    const double inverse = 1.0 / static_cast<double>(rule_.std(0));
    for (std::size_t i = 0; i < kept.samples.size(); ++i) {
      out[i] = static_cast<float>(((kept.samples[i] - shift) * factor - mean) * inverse);
    }
  }

  void write_features(const SoundView& view, const ResamplerTable* table, const Cut& cut,
                      SoundScratch& kept, float* out) const {
    const std::int64_t frames = rule_.frames();
    const std::int64_t bands = rule_.bands();
    const FeatureBlock whole = description().frames_first
                                   ? FeatureBlock{out, frames, bands, bands, 1}
                                   : FeatureBlock{out, frames, bands, 1, frames};
    const bool mfcc = description().features == SoundFeatures::kMfcc;
    const std::int64_t bins = description().mel.bins;
    FeatureBlock logs = whole;
    if (mfcc) {
      kept.logs.resize(static_cast<std::size_t>(frames * bins));
      kept.sums.resize(static_cast<std::size_t>(bands));
      logs = {kept.logs.data(), frames, bins, bins, 1};
    }
    FeatureBlock found = whole;
    found.frames = logs.frames = write_logs(view, table, cut, kept, logs);
    limit_range(description().mel, logs);
    for (std::int64_t f = 0; mfcc && f < found.frames; ++f) {
      cosine_transform(rule_, logs.data + f * bins, kept.sums.data(), out + f * whole.frame_step,
                       whole.band_step);
    }
    normalise(rule_, found);
    fill_frames(rule_, whole, found.frames);
  }

  /// Returns how many frames there are.
  std::int64_t write_logs(const SoundView& view, const ResamplerTable* table, const Cut& cut,
                          SoundScratch& kept, const FeatureBlock& logs) const {
    SoundFramer& framer = *kept.framer;
    framer.begin();
    std::int64_t done = 0;
    const auto take = [&](std::int64_t frames) {
      framer.take(frames, logs.data + done * logs.frame_step, logs.frame_step, logs.band_step);
      done += frames;
    };
    // Whole vectors of frames only, as long as more are to come.
    const auto take_vectors = [&] {
      take(framer.ready() / rule_.kernels.lanes * rule_.kernels.lanes);
    };
    auto framed = [&](std::span<const double> samples) {
      framer.append(samples);
      take_vectors();
    };
    const std::int64_t missing = description().window - cut.count;
    const SoundShorter shorter = missing > 0 ? description().shorter : SoundShorter::kRefuse;
    if (shorter == SoundShorter::kRepeat) {
      collect(view, table, cut, kept);
      framed(kept.samples);
    } else {
      each_sample(view, table, cut, kept.converter, framed);
    }
    if (shorter == SoundShorter::kZeros) {
      const std::int64_t silent = first_silent_frame(cut.count);
      if (silent >= 0) {
        framer.append_zeros(silence_begin(silent) + description().mel.length +
                            description().mel.step - cut.count);
        take(std::min(framer.ready(), silent + 1 - done));
        return repeat_frame(logs, silent);
      }
      for (std::int64_t left = missing; left > 0; left -= kZeroBlock) {
        framer.append_zeros(std::min(left, kZeroBlock));
        take_vectors();
      }
    }
    framer.finish();
    take(framer.ready());
    return done;
  }

  std::int64_t silence_begin(std::int64_t frame) const noexcept {
    return first_frame_of(description().mel) + frame * description().mel.step;
  }

  /// The first frame behind so many samples, where all from there on see nothing but the zeros that
  /// fill up the window, edges included; else -1.
  std::int64_t first_silent_frame(std::int64_t samples) const noexcept {
    const MelDescription& mel = description().mel;
    const std::int64_t first = first_frame_of(mel);
    const std::int64_t frame =
        std::max<std::int64_t>(0, (samples - first + mel.step - 1) / mel.step);
    const bool room = samples + 2 * (mel.length + mel.step) < description().window;
    return room && frame < mel.frames_of(description().window) ? frame : -1;
  }

  /// Copies a frame to all behind it.
  std::int64_t repeat_frame(const FeatureBlock& logs, std::int64_t frame) const {
    const std::int64_t frames = description().mel.frames_of(description().window);
    for (std::int64_t b = 0; b < logs.bands; ++b) {
      float* band = logs.data + b * logs.band_step;
      const float value = band[frame * logs.frame_step];
      for (std::int64_t f = frame + 1; f < frames; ++f) band[f * logs.frame_step] = value;
    }
    return frames;
  }

  SoundRule rule_;
};

}  // namespace

std::unique_ptr<Preprocessor> make_sound_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where) {
  return make_sound_preprocessor(modality, where, best_sound_kernels());
}

std::unique_ptr<Preprocessor> make_sound_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where,
                                                      const SoundKernels& kernels) {
  return std::make_unique<SoundPreprocessor>(modality, where, kernels);
}

}  // namespace plait::detail
