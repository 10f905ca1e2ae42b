// frame.hpp: a camera frame -> encoder input: colour, resize, crop or border, normalisation,
// layout.
#pragma once

#include <memory>
#include <string>

#include "preprocess/frame_kernels.hpp"
#include "preprocess/preprocessor.hpp"

namespace plait::detail {

/// Weights and buffers of a frame's size are made when a scratch first meets that size, and kept
/// until it meets another: from then on nothing is allocated.
/// Throws BundleError for a combination this library does not compute.
std::unique_ptr<Preprocessor> make_frame_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where);

/// The same on the given inner loops, so that tests can compare targets.
std::unique_ptr<Preprocessor> make_frame_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where,
                                                      const FrameKernels& kernels);

}  // namespace plait::detail
