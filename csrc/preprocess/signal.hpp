// signal.hpp: a multi-channel signal -> encoder input: window, axes, units, normalisation, layout.
#pragma once

#include <memory>
#include <string>

#include "preprocess/preprocessor.hpp"

namespace plait::detail {

/// input[c][t] = (raw[t][source(c)] * sign(c) * unit factor - mean(c)) * (1 / std(c)), in float32.
///
/// A time-stamped series, or one of another declared rate, is first brought onto the nominal grid,
/// and a calibration is applied to it. A normalisation by the window's own statistics, or by
/// running ones, is computed in float64. The plain loop is bound by memory at the sizes signals
/// have, so it is the specification and the implementation. Throws BundleError when the sensor's
/// unit does not convert into the encoder's.
std::unique_ptr<Preprocessor> make_signal_preprocessor(const ModalityDescription& modality,
                                                       const std::string& where);

/// Of running normalisation: the declared mean and std, with the weight of all samples before.
SignalState first_signal_state(const SignalDescription& description);

}  // namespace plait::detail
