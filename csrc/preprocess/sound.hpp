// sound.hpp: the preprocessor of sensor kind "sound": PCM -> waveform, log-mel or MFCC.
#pragma once

#include <memory>
#include <string>

#include "preprocess/preprocessor.hpp"
#include "preprocess/sound_kernels.hpp"

namespace plait::detail {

/// Throws BundleError for a description that this library does not compute.
std::unique_ptr<Preprocessor> make_sound_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where);
/// The same with the given inner loops, which tests compare.
std::unique_ptr<Preprocessor> make_sound_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where,
                                                      const SoundKernels& kernels);

}  // namespace plait::detail
