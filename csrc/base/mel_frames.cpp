// mel_frames.cpp: how many analysis frames a sound has.
#include <algorithm>

#include "plait/manifest.hpp"

namespace plait {

std::int64_t MelDescription::frames_of(std::int64_t samples) const noexcept {
  std::int64_t count = 0;
  switch (edges) {
    case SoundEdges::kSnip:
      count = samples >= length ? 1 + (samples - length) / step : 0;
      break;
    case SoundEdges::kKaldi:
      count = (samples + step / 2) / step;
      break;
    case SoundEdges::kReflect:
      count = samples > fft / 2 ? 1 + samples / step : 0;
      break;
    case SoundEdges::kZeros:
      count = 1 + samples / step;
      break;
  }
  return drop_last ? std::max<std::int64_t>(count - 1, 0) : count;
}

}  // namespace plait
