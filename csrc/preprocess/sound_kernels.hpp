// sound_kernels.hpp: the inner loops of sound, once for one frame at a time and once per target.
//
// A vector holds one value of several analysis frames: each lane computes what the one-frame form
// computes, by the same float64 operations in the same order. So every target gives the same bits,
// whatever frames happen to be computed together.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "preprocess/sound_tables.hpp"

namespace plait::detail {

/// float64 values that may be read (not used) behind the last of a frame, or of a resampled
/// stretch.
inline constexpr std::int64_t kSoundSlack = 16;

/// Consecutive analysis frames, and where their bands go.
struct SpectrumJob {
  const double* samples = nullptr;  ///< of the first frame; frame f begins at samples + f * step
  std::int64_t frames = 0;
  float* out = nullptr;  ///< band b of frame f: out[f * frame_step + b * band_step]
  std::int64_t frame_step = 0;
  std::int64_t band_step = 0;
  double* work = nullptr;  ///< SpectrumEngine::work_values() of them, 64-byte-aligned
};

/// Turns analysis frames into mel bands. Immutable, for all threads.
class SpectrumEngine {
 public:
  virtual ~SpectrumEngine() = default;
  virtual void run(const SpectrumJob& job) const = 0;
  virtual std::int64_t work_values() const noexcept = 0;
};

/// out[i] = sum over k of weights[phase(i) * taps + k] * input[position(i) + k]: position and phase
/// begin as given and move on by a step of whole positions and phases each.
struct ResampleJob {
  const double* input = nullptr;
  const double* weights = nullptr;
  std::int64_t taps = 0;  ///< a multiple of kResampleLanes
  std::int64_t phases = 0;
  std::int64_t position = 0;
  std::int64_t phase = 0;
  std::int64_t position_step = 0;
  std::int64_t phase_step = 0;
  std::int64_t count = 0;
  double* out = nullptr;
};

/// Every target sums the products in this many running sums, which are added pairwise in the end.
inline constexpr std::int64_t kResampleLanes = 16;

struct SoundKernels {
  const char* name;
  std::int64_t lanes;  ///< frames that are computed at once
  std::unique_ptr<SpectrumEngine> (*make_engine)(const SpectrumRule& rule);
  void (*resample)(const ResampleJob& job);
};

const SoundKernels& scalar_sound_kernels();
/// Of every target that this machine has, the best first, the plain loops last.
std::vector<const SoundKernels*> sound_kernels();
const SoundKernels& best_sound_kernels();

/// The transform's scratch on this thread while an engine runs: pocketfft asks for memory by
/// itself.
inline thread_local void* transform_scratch = nullptr;

}  // namespace plait::detail
