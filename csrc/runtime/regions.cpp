// regions.cpp: several regions of one frame, prepared and encoded as one batch.
#include <algorithm>
#include <array>
#include <cstring>

#include "plait/error.hpp"
#include "runtime/checks.hpp"
#include "runtime/model_impl.hpp"

namespace plait {
namespace {

/// The shape of one sample, [1, ...], as that of so many.
Shape batch_of(const Shape& single, std::size_t count) {
  std::array<std::int64_t, kMaxRank> dims{};
  std::copy(single.dims().begin(), single.dims().end(), dims.begin());
  dims.front() = static_cast<std::int64_t>(count);
  return Shape(std::span<const std::int64_t>(dims.data(), single.rank()));
}

}  // namespace

const detail::RegionPreprocessor& ModelImpl::regions_of(std::size_t modality,
                                                        const Frame& frame) const {
  const ModalityRuntime& runtime = modalities_[modality];
  const detail::RegionPreprocessor* regions = runtime.preprocessor->regions();
  if (regions == nullptr) {
    throw ConfigError({.where = runtime.where,
                       .expected = "a modality of kind frame",
                       .got = "one of kind " + manifest().modalities[modality].kind,
                       .action = "Only frames have regions."});
  }
  const Rectangle& region = frame.region;
  if (region.x != 0 || region.y != 0 || region.width != 0 || region.height != 0) {
    throw SampleError({.where = runtime.where,
                       .expected = "a frame without a region of its own",
                       .got = "one, and a list of regions",
                       .action = "State every region in the list, in the whole frame's pixels."});
  }
  return *regions;
}

void ModelImpl::prepare_regions(std::size_t modality, const Frame& frame,
                                std::span<const Rectangle> regions, TensorView out) {
  const ModalityRuntime& runtime = modalities_[modality];
  const detail::RegionPreprocessor& preprocessor = regions_of(modality, frame);
  detail::check_output(out, batch_of(runtime.input, regions.size()), runtime.input_dtype,
                       runtime.where);
  const auto context = lend();
  preprocessor.prepare_regions(frame, regions, *context->modalities[modality].scratch, out);
}

void ModelImpl::encode_regions(std::size_t modality, const Frame& frame,
                               std::span<const Rectangle> regions, TensorView out) {
  const ModalityRuntime& runtime = modalities_[modality];
  const detail::RegionPreprocessor& preprocessor = regions_of(modality, frame);
  detail::check_output(out, batch_of(runtime.embedding, regions.size()), DType::kFloat32,
                       runtime.where);
  if (regions.empty()) return;
  const auto context = lend();
  detail::RegionBuffers& buffers = region_buffers(*context, modality, regions.size());
  preprocessor.prepare_regions(frame, regions, *context->modalities[modality].scratch,
                               buffers.input.view());
  buffers.encoder->run();
  std::memcpy(out.data, buffers.embedding.view().data, out.bytes());
}

detail::RegionBuffers& ModelImpl::region_buffers(detail::RunContext& context, std::size_t modality,
                                                 std::size_t regions) const {
  const ModalityRuntime& runtime = modalities_[modality];
  detail::RegionBuffers& buffers = context.modalities[modality].regions;
  if (buffers.regions == regions) return buffers;
  buffers = {};
  buffers.input = Tensor(runtime.input_dtype, batch_of(runtime.input, regions));
  buffers.embedding = Tensor(DType::kFloat32, batch_of(runtime.embedding, regions));
  const TensorView input = buffers.input.view();
  const TensorView embedding = buffers.embedding.view();
  buffers.encoder = runtime.encoder->bind({&input, 1}, {&embedding, 1});
  buffers.regions = regions;
  return buffers;
}

}  // namespace plait
