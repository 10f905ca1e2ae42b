// model_impl.cpp: one pass from samples to an answer, and each of its stages alone.
#include "runtime/model_impl.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "plait/error.hpp"
#include "runtime/checks.hpp"
#include "runtime/feature_stream_impl.hpp"

namespace plait {
namespace {

using Clock = std::chrono::steady_clock;

bool all_finite(std::span<const float> values) noexcept {
  float poison = 0.0F;  // becomes NaN as soon as one value is not finite
  for (float value : values) poison += value * 0.0F;
  return !std::isnan(poison);
}

/// Softmax with the largest logit subtracted, so that exp never overflows.
void softmax(std::span<const float> logits, std::span<float> scores) noexcept {
  const float largest = *std::max_element(logits.begin(), logits.end());
  float sum = 0.0F;
  for (std::size_t i = 0; i < logits.size(); ++i) sum += scores[i] = std::exp(logits[i] - largest);
  for (float& score : scores) score /= sum;
}

/// Float16 has all exponent bits set where it is not finite.
bool all_finite_halves(std::span<const std::uint16_t> values) noexcept {
  return std::none_of(values.begin(), values.end(),
                      [](std::uint16_t value) { return (value & 0x7C00U) == 0x7C00U; });
}

bool all_finite(const ConstTensorView& view) noexcept {
  const auto count = static_cast<std::size_t>(view.shape.elements());
  if (view.dtype == DType::kFloat32) {
    return all_finite({static_cast<const float*>(view.data), count});
  }
  if (view.dtype == DType::kFloat16) {
    return all_finite_halves({static_cast<const std::uint16_t*>(view.data), count});
  }
  return true;
}

void check_values(const ConstTensorView& given, const Shape& shape, DType dtype,
                  const std::string& where, const std::string& what, bool gaps = false) {
  const std::string expected =
      what + " of shape " + shape.text() + ", " + std::string(name_of(dtype)) + ", contiguous";
  if (given.data == nullptr || given.dtype != dtype || !(given.shape == shape) ||
      !given.contiguous()) {
    const std::string layout = given.contiguous() ? "" : ", strided";
    throw SampleError(
        {.where = where,
         .expected = expected,
         .got = given.data == nullptr
                    ? "no data"
                    : given.shape.text() + " of " + std::string(name_of(given.dtype)) + layout,
         .action = ""});
  }
  if (!gaps && !all_finite(given)) {
    throw SampleError({.where = where,
                       .expected = expected + ", finite",
                       .got = "NaN or infinity",
                       .action = "Declare the modality absent instead."});
  }
}

void copy(const ConstTensorView& from, const TensorView& to) noexcept {
  std::memcpy(to.data, from.data, to.bytes());
}

}  // namespace

namespace detail {

void check_output(const TensorView& out, const Shape& shape, DType dtype,
                  const std::string& where) {
  if (out.data != nullptr && out.dtype == dtype && out.shape == shape) return;
  throw ConfigError(
      {.where = where,
       .expected = "an output of shape " + shape.text() + ", " + std::string(name_of(dtype)),
       .got = out.data == nullptr ? "no memory"
                                  : out.shape.text() + " of " + std::string(name_of(out.dtype)),
       .action = ""});
}

}  // namespace detail

void ModelImpl::run(std::span<const NamedSample> samples, ResultImpl& result) {
  const auto start = Clock::now();
  check_owner(result);
  const auto context = lend();
  contract_.match(samples, context->seen, [&](std::size_t modality, const NamedSample& item) {
    context->samples[modality] = item.sample;
    context->presence[modality] = item.sample != nullptr ? Presence::kFresh : Presence::kAbsent;
  });
  contract_.check(context->presence);

  for (std::size_t m = 0; m < modalities_.size(); ++m) {
    ModalityReport& report = result.modalities[m];
    report.prepare = report.encode = {};
    if (context->presence[m] == Presence::kAbsent) continue;  // an absent encoder costs nothing
    const auto begin = Clock::now();
    if (recall(*context, m, *context->samples[m])) {
      report.prepare = Clock::now() - begin;
      continue;
    }
    const auto prepared = encode(*context, m, *context->samples[m]);
    report.prepare = prepared - begin;
    report.encode = Clock::now() - prepared;
  }
  fuse(*context, result);
  result.total = Clock::now() - start;
}

void ModelImpl::fuse(std::span<const NamedEmbedding> embeddings, ResultImpl& result) {
  const auto start = Clock::now();
  check_owner(result);
  const auto context = lend();
  contract_.match(embeddings, context->seen, [&](std::size_t m, const NamedEmbedding& item) {
    const bool given = item.embedding.data != nullptr;
    context->presence[m] = given ? Presence::kCached : Presence::kAbsent;
    result.modalities[m].prepare = result.modalities[m].encode = {};
    if (!given) return;
    check_values(item.embedding, modalities_[m].embedding, DType::kFloat32, modalities_[m].where,
                 "an embedding");
    copy(item.embedding, context->modalities[m].embedding.view());
  });
  contract_.check(context->presence);
  fuse(*context, result);
  result.total = Clock::now() - start;
}

void ModelImpl::fuse(detail::RunContext& context, ResultImpl& result) {
  for (std::size_t m = 0; m < modalities_.size(); ++m) {
    result.modalities[m].presence = context.presence[m];
    if (context.presence[m] != Presence::kAbsent) continue;
    // What an earlier run left here is masked, but a mask times NaN would still be NaN.
    const TensorView embedding = context.modalities[m].embedding.view();
    std::memset(embedding.data, 0, embedding.bytes());
  }
  for (std::size_t h = 0; h < heads_.size(); ++h) answer(context, h, result);
}

void ModelImpl::answer(detail::RunContext& context, std::size_t head, ResultImpl& result) {
  const auto start = Clock::now();
  const HeadRuntime& runtime = heads_[head];
  detail::HeadBuffers& buffers = context.heads[head];
  HeadAnswer& answer = result.heads[head];
  answer.output = {};
  answer.scores = {};
  answer.best = -1;
  answer.label = {};
  answer.expected_quality.reset();
  answer.fuse = {};

  const std::span<float> presence = buffers.presence.view().as_span<float>();
  bool any = false;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < runtime.modalities.size(); ++i) {
    const std::size_t modality = runtime.modalities[i];
    const bool present = context.presence[modality] != Presence::kAbsent;
    presence[i] = present ? 1.0F : 0.0F;
    any = any || present;
    if (present) bits |= 1U << modality;
  }
  if (!any) return;

  buffers.head->run();

  Tensor& output = result.outputs[head];
  copy(std::as_const(buffers.output).view(), output.view());
  const std::span<const float> values = output.view().as_span<const float>();
  if (!all_finite(values)) {
    throw BackendError({.where = runtime.where,
                        .expected = "finite values",
                        .got = "NaN or infinity in " + precision_,
                        .action = "Run `plait doctor` on the bundle, or load it in fp32."});
  }
  answer.output = std::as_const(output).view();
  if (answer.kind == HeadKind::kClassification) {
    std::vector<float>& scores = result.scores[head];
    softmax(values, scores);
    answer.scores = scores;
    answer.best = std::max_element(values.begin(), values.end()) - values.begin();
    answer.label = runtime.description->labels[static_cast<std::size_t>(answer.best)];
  }
  for (const auto& [set, quality] : runtime.quality) {
    if (set == bits) {
      answer.expected_quality = quality;
      break;
    }
  }
  answer.fuse = Clock::now() - start;
}

/// Puts an embedding that needs no encoder in its place, where there is one for the sample.
bool ModelImpl::recall(detail::RunContext& context, std::size_t modality, const Sample& sample) {
  const std::span<const float> known = modalities_[modality].preprocessor->known_embedding(sample);
  if (known.empty()) return false;
  std::copy(known.begin(), known.end(),
            context.modalities[modality].embedding.view().as_span<float>().begin());
  return true;
}

Clock::time_point ModelImpl::encode(detail::RunContext& context, std::size_t modality,
                                    const Sample& sample) {
  detail::ModalityBuffers& buffers = context.modalities[modality];
  if (buffers.device_frames != nullptr) return buffers.device_frames->encode(sample);
  modalities_[modality].preprocessor->prepare(sample, *buffers.scratch, buffers.input.view());
  const auto prepared = Clock::now();
  buffers.encoder->run();
  return prepared;
}

void ModelImpl::prepare(std::size_t modality, const Sample& sample, TensorView out) {
  const ModalityRuntime& runtime = modalities_[modality];
  detail::check_output(out, runtime.input, runtime.input_dtype, runtime.where);
  const auto context = lend();
  runtime.preprocessor->prepare(sample, *context->modalities[modality].scratch, out);
}

void ModelImpl::encode(std::size_t modality, const Sample& sample, TensorView out) {
  detail::check_output(out, modalities_[modality].embedding, DType::kFloat32,
                       modalities_[modality].where);
  const auto context = lend();
  if (!recall(*context, modality, sample)) (void)encode(*context, modality, sample);
  copy(std::as_const(context->modalities[modality].embedding).view(), out);
}

void ModelImpl::encode_prepared(std::size_t modality, const ConstTensorView& prepared,
                                TensorView out) {
  const ModalityRuntime& runtime = modalities_[modality];
  if (runtime.encoder == nullptr) {
    throw ConfigError({.where = runtime.where,
                       .expected = "an encoder in the bundle",
                       .got = "a bank of embeddings only",
                       .action = "Export with encoder_in_bundle=True."});
  }
  check_values(prepared, runtime.input, runtime.input_dtype, runtime.where, "an encoder input",
               runtime.preprocessor->has_gaps());
  detail::check_output(out, runtime.embedding, DType::kFloat32, runtime.where);
  const auto context = lend();
  detail::ModalityBuffers& buffers = context->modalities[modality];
  copy(prepared, buffers.input.view());
  buffers.encoder->run();
  copy(std::as_const(buffers.embedding).view(), out);
}

std::unique_ptr<FeatureStreamImpl> ModelImpl::feature_stream(std::size_t modality) const {
  const ModalityDescription& description = manifest().modalities[modality];
  const std::string& where = modalities_[modality].where;
  if (description.kind != "sound") {
    throw ConfigError({.where = where,
                       .expected = "a modality of kind sound",
                       .got = description.kind,
                       .action = "Pass its samples to run() or prepare()."});
  }
  return std::make_unique<FeatureStreamImpl>(
      std::make_unique<detail::SoundRule>(description.sound, where, detail::best_sound_kernels()));
}

const Shape& ModelImpl::input_shape(std::size_t modality) const noexcept {
  return modalities_[modality].input;
}

DType ModelImpl::input_dtype(std::size_t modality) const noexcept {
  return modalities_[modality].input_dtype;
}

const Shape& ModelImpl::embedding_shape(std::size_t modality) const noexcept {
  return modalities_[modality].embedding;
}

void ModelImpl::check_owner(const ResultImpl& result) const {
  if (result.model.get() == this) return;
  throw ConfigError({.where = bundle_.name(),
                     .expected = "a Result made by this model's make_result()",
                     .got = "one of another model",
                     .action = ""});
}

}  // namespace plait
