// signal.hpp: a multi-channel signal -> encoder input: window, axes, units, normalisation, layout.
#pragma once

#include <memory>
#include <string>

#include "preprocess/preprocessor.hpp"

namespace plait::detail {

/// input[c][t] = (raw[t][source(c)] * sign(c) * unit factor - mean(c)) * (1 / std(c)), in float32.
///
/// A time-stamped series is first brought onto the nominal grid. The plain loop is bound by memory
/// at the sizes signals have, so it is the specification and the implementation.
/// Throws BundleError when the sensor's unit does not convert into the encoder's.
std::unique_ptr<Preprocessor> make_signal_preprocessor(const ModalityDescription& modality,
                                                       const std::string& where);

}  // namespace plait::detail
