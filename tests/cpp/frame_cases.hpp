// frame_cases.hpp: random frames of any format, and the same filters in plain float64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/thread_pool.hpp"
#include "plait/manifest.hpp"
#include "preprocess/frame_kernels.hpp"

namespace plait::testing_support {

/// A frame with memory of exactly the bytes its strides need, so that a sanitizer sees an overrun.
struct OwnedFrame {
  Frame frame;
  std::vector<std::vector<std::byte>> memory;
};

/// Random bytes; strides are longer than a row by a random number of bytes.
OwnedFrame random_frame(PixelFormat format, std::int64_t width, std::int64_t height,
                        std::mt19937& generator);

/// Levels (unit scale, no mean) of an encoder of red, green and blue, height x width, stretched.
ModalityDescription levels_of(FrameFilter filter, FrameArithmetic arithmetic, std::int64_t height,
                              std::int64_t width);

/// What the preparation gives on the given inner loops, in the description's element type.
std::vector<std::byte> prepared_bytes(const ModalityDescription& modality, const Frame& frame,
                                      const detail::FrameKernels& kernels,
                                      detail::ThreadPool* pool = nullptr);

/// Bytes as the elements that they are.
template <typename Element>
std::vector<Element> elements(const std::vector<std::byte>& bytes) {
  std::vector<Element> list(bytes.size() / sizeof(Element));
  std::memcpy(list.data(), bytes.data(), bytes.size());
  return list;
}

/// The same of a description in float32.
std::vector<float> prepared(const ModalityDescription& modality, const Frame& frame,
                            const detail::FrameKernels& kernels);

/// [3, height, width] in float64: every pixel converted by the standard's formula, filtered, and
/// clipped once.
std::vector<double> reference(const FrameDescription& description, const Frame& frame);

}  // namespace plait::testing_support
