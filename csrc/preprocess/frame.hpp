// frame.hpp: a camera frame -> encoder input: colour, resize, crop or border, normalisation,
// layout.
#pragma once

#include <memory>
#include <string>

#include "preprocess/frame_kernels.hpp"
#include "preprocess/preprocessor.hpp"

namespace plait::detail {

/// Weights and buffers of a frame's size are made when a scratch first meets that size, and kept
/// for the last few sizes: from then on nothing is allocated. A large frame's rows are shared out
/// over the pool (nullptr: none), which changes no bit of them.
/// Throws BundleError for a combination this library does not compute.
std::unique_ptr<Preprocessor> make_frame_preprocessor(
    const ModalityDescription& modality, const std::string& where, ThreadPool* pool = nullptr,
    const FrameKernels& kernels = best_frame_kernels());

}  // namespace plait::detail
