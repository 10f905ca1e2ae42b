// model.cpp: the public face of a Model.
#include "plait/model.hpp"

#include "plait/error.hpp"
#include "preprocess/signal.hpp"
#include "runtime/feature_stream_impl.hpp"
#include "runtime/generation.hpp"
#include "runtime/model_impl.hpp"

namespace plait {

Model::Model(std::shared_ptr<ModelImpl> impl) noexcept : impl_(std::move(impl)) {}

Model Model::load(const std::filesystem::path& bundle, const LoadOptions& options) {
  options.validate();
  return Model(std::make_shared<ModelImpl>(Bundle::open(bundle), options));
}

const Manifest& Model::manifest() const noexcept { return impl_->manifest(); }

std::string_view Model::manifest_json() const noexcept { return impl_->manifest_json(); }

std::string_view Model::precision() const noexcept { return impl_->precision(); }

std::string_view Model::backend() const noexcept { return impl_->backend(); }

Result Model::make_result() const { return Result(impl_->make_result()); }

void Model::run(std::span<const NamedSample> samples, Result& result) const {
  impl_->run(samples, *result.impl_);
}

void Model::prepare(std::string_view modality, const Sample& sample, TensorView out) const {
  impl_->prepare(impl_->index_of(modality), sample, out);
}

void Model::encode(std::string_view modality, const Sample& sample, TensorView out) const {
  impl_->encode(impl_->index_of(modality), sample, out);
}

void Model::encode_prepared(std::string_view modality, ConstTensorView prepared,
                            TensorView out) const {
  impl_->encode_prepared(impl_->index_of(modality), prepared, out);
}

void Model::prepare_regions(std::string_view modality, const Frame& frame,
                            std::span<const Rectangle> regions, TensorView out) const {
  impl_->prepare_regions(impl_->index_of(modality), frame, regions, out);
}

void Model::encode_regions(std::string_view modality, const Frame& frame,
                           std::span<const Rectangle> regions, TensorView out) const {
  impl_->encode_regions(impl_->index_of(modality), frame, regions, out);
}

void Model::fuse(std::span<const NamedEmbedding> embeddings, Result& result) const {
  impl_->fuse(embeddings, *result.impl_);
}

FeatureStream Model::feature_stream(std::string_view modality) const {
  return FeatureStream(impl_->feature_stream(impl_->index_of(modality)));
}

SignalState Model::signal_state(std::string_view modality) const {
  const ModalityDescription& described = impl_->manifest().modalities[impl_->index_of(modality)];
  if (described.kind != "signal" ||
      described.signal.normalization != SignalNormalization::kRunning) {
    throw ConfigError({.where = "modality " + described.name,
                       .expected = "a signal whose normalisation is running",
                       .got = described.kind == "signal" ? "another normalisation"
                                                         : "a modality of kind " + described.kind,
                       .action = "Only running normalisation has a state."});
  }
  return detail::first_signal_state(described.signal);
}

Generator Model::generator(std::string_view head) const {
  return Generator(std::make_unique<GeneratorImpl>(impl_, impl_->generation_head(head)));
}

GenerationOptions Model::generation_options(std::string_view head) const {
  return options_of(impl_->generation_head(head).description->generation.defaults);
}

Shape Model::input_shape(std::string_view modality) const {
  return impl_->input_shape(impl_->index_of(modality));
}

DType Model::input_dtype(std::string_view modality) const {
  return impl_->input_dtype(impl_->index_of(modality));
}

Shape Model::embedding_shape(std::string_view modality) const {
  return impl_->embedding_shape(impl_->index_of(modality));
}

}  // namespace plait
