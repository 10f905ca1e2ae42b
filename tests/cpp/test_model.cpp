// test_model.cpp: a loaded bundle keeps the presence contract, its bits and its promises on memory.
//
// Runs on whatever bundle PLAIT_TEST_BUNDLE names (tests/cases/tiny_bundle.py makes it): three
// modalities of odd sizes and two heads.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "allocations.hpp"
#include "plait/plait.hpp"

namespace plait {
namespace {

/// Random raw samples of every modality of a manifest; absent() leaves some out.
class RandomSamples {
 public:
  RandomSamples(const Manifest& manifest, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, 3.0F);
    for (const ModalityDescription& modality : manifest.modalities) {
      const SignalDescription& signal = modality.signal;
      Tensor& values =
          values_.emplace_back(DType::kFloat32, Shape{signal.window, signal.sensor_channels});
      for (float& value : values.view().as_span<float>()) value = normal(generator);
      samples_.emplace_back(Signal{.values = std::as_const(values).view()});
      names_.push_back(modality.name);
    }
  }

  const Sample& operator[](std::size_t modality) const { return samples_[modality]; }

  /// One bit a modality: 1 is present.
  std::vector<NamedSample> present(std::uint32_t bits) const {
    std::vector<NamedSample> named;
    for (std::size_t m = 0; m < names_.size(); ++m) {
      named.push_back({names_[m], (bits >> m & 1U) != 0 ? &samples_[m] : nullptr});
    }
    return named;
  }

 private:
  std::vector<Tensor> values_;
  std::vector<Sample> samples_;
  std::vector<std::string> names_;
};

/// Every bit of every answer.
std::vector<std::byte> bits_of(const Result& result) {
  std::vector<std::byte> bits;
  const auto append = [&](const void* data, std::size_t bytes) {
    const auto* from = static_cast<const std::byte*>(data);
    bits.insert(bits.end(), from, from + bytes);
  };
  for (const HeadAnswer& answer : result.heads()) {
    if (answer.output.data != nullptr) append(answer.output.data, answer.output.bytes());
    append(answer.scores.data(), answer.scores.size_bytes());
    append(answer.label.data(), answer.label.size());
  }
  return bits;
}

class ModelTest : public testing::TestWithParam<std::string> {
 protected:
  static std::filesystem::path path() {
    const char* path = std::getenv("PLAIT_TEST_BUNDLE");
    return path != nullptr ? path : "";
  }
  void SetUp() override {
    if (path().empty()) GTEST_SKIP() << "PLAIT_TEST_BUNDLE names no bundle; scripts/test sets it";
    seed_ = std::random_device{}();
  }
  LoadOptions options(int threads = 1) const {
    LoadOptions options;
    options.precision = GetParam();
    options.threads = threads;
    return options;
  }
  std::uint32_t every(const Model& model) const {
    return (1U << model.manifest().modalities.size()) - 1;
  }
  std::uint32_t seed_ = 0;
};

TEST_P(ModelTest, RunEqualsItsStagesBitForBitInEveryPresenceSet) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const Model model = Model::load(path(), options());
  EXPECT_EQ(model.precision(), GetParam());
  const RandomSamples samples(model.manifest(), seed_);
  Result whole = model.make_result();
  Result staged = model.make_result();
  for (std::uint32_t bits = 1; bits <= every(model); ++bits) {
    model.run(samples.present(bits), whole);
    std::vector<Tensor> kept;
    std::vector<NamedEmbedding> embeddings;
    for (std::size_t m = 0; m < model.manifest().modalities.size(); ++m) {
      const std::string& name = model.manifest().modalities[m].name;
      if ((bits >> m & 1U) == 0) {
        embeddings.push_back({name, {}});
        continue;
      }
      Tensor prepared(DType::kFloat32, model.input_shape(name));
      Tensor& embedding = kept.emplace_back(DType::kFloat32, model.embedding_shape(name));
      Tensor direct(DType::kFloat32, model.embedding_shape(name));
      model.prepare(name, samples[m], prepared.view());
      model.encode_prepared(name, std::as_const(prepared).view(), embedding.view());
      model.encode(name, samples[m], direct.view());
      EXPECT_EQ(std::memcmp(embedding.view().data, direct.view().data, embedding.view().bytes()),
                0);
      embeddings.push_back({name, std::as_const(embedding).view()});
    }
    model.fuse(embeddings, staged);
    EXPECT_EQ(bits_of(whole), bits_of(staged)) << "presence bits " << bits;
  }
}

TEST_P(ModelTest, ReportSaysWhatWasPresentAndAbsentCostsNothing) {
  const Model model = Model::load(path(), options());
  const RandomSamples samples(model.manifest(), seed_);
  Result result = model.make_result();
  for (std::uint32_t bits = 1; bits <= every(model); ++bits) {
    model.run(samples.present(bits), result);
    for (std::size_t m = 0; m < result.modalities().size(); ++m) {
      const ModalityReport& report = result.modalities()[m];
      const bool present = (bits >> m & 1U) != 0;
      EXPECT_EQ(report.presence, present ? Presence::kFresh : Presence::kAbsent);
      EXPECT_EQ(report.encode.count() > 0, present);
      EXPECT_EQ(report.prepare.count() > 0, present);
    }
    EXPECT_GT(result.total().count(), 0);
  }
}

TEST_P(ModelTest, AnswerDoesNotRestOnWhatAnEarlierRunLeftBehind) {
  const Model model = Model::load(path(), options());
  const RandomSamples first(model.manifest(), seed_);
  const RandomSamples second(model.manifest(), seed_ + 1);
  Result fresh = model.make_result();
  Result used = model.make_result();
  model.run(first.present(1), fresh);
  model.run(second.present(every(model)), used);
  model.run(first.present(1), used);
  EXPECT_EQ(bits_of(fresh), bits_of(used));
}

TEST_P(ModelTest, ThreadsAndConcurrentRunsDoNotChangeABit) {
  const Model model = Model::load(path(), options());
  const RandomSamples samples(model.manifest(), seed_);
  std::map<std::uint32_t, std::vector<std::byte>> wanted;
  Result result = model.make_result();
  for (std::uint32_t bits = 1; bits <= every(model); ++bits) {
    model.run(samples.present(bits), result);
    wanted[bits] = bits_of(result);
  }
  const Model threaded = Model::load(path(), options(3));
  for (const Model& shared : {model, threaded}) {
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Result mine = shared.make_result();
        for (std::uint32_t round = 0; round < 20; ++round) {
          const std::uint32_t bits = 1 + (round + t) % every(shared);
          shared.run(samples.present(bits), mine);
          EXPECT_EQ(bits_of(mine), wanted[bits]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_P(ModelTest, WarmRunAllocatesNothingOnOurSide) {
  const Model model = Model::load(path(), options());
  const RandomSamples samples(model.manifest(), seed_);
  const std::vector<NamedSample> all = samples.present(every(model));
  const std::vector<NamedSample> one = samples.present(1);
  {
    const testing_support::AllocationCounter counter;
    (void)model.make_result();
    ASSERT_GT(counter.count(), 0U) << "the counter is blind";
  }
  Result result = model.make_result();
  model.run(all, result);
  const testing_support::AllocationCounter counter;
  for (int round = 0; round < 10; ++round) {
    model.run(all, result);
    model.run(one, result);
  }
  EXPECT_EQ(counter.count(), 0U);
}

TEST_P(ModelTest, WhatIsNotSaidIsRefused) {
  const Model model = Model::load(path(), options());
  const RandomSamples samples(model.manifest(), seed_);
  Result result = model.make_result();
  std::vector<NamedSample> named = samples.present(every(model));
  EXPECT_THROW(model.run(samples.present(0), result), SampleError);
  std::vector<NamedSample> unsaid(named.begin(), named.end() - 1);
  EXPECT_THROW(model.run(unsaid, result), SampleError);
  std::vector<NamedSample> twice = named;
  twice.push_back(named.front());
  EXPECT_THROW(model.run(twice, result), SampleError);
  std::vector<NamedSample> unknown = named;
  unknown.front().modality = "smell";
  EXPECT_THROW(model.run(unknown, result), SampleError);
  EXPECT_NO_THROW(model.run(named, result));  // the model survives all of it
}

TEST_P(ModelTest, WrongEmbeddingsAndOutputsAreRefused) {
  const Model model = Model::load(path(), options());
  const RandomSamples samples(model.manifest(), seed_);
  const std::string& name = model.manifest().modalities.front().name;
  Tensor embedding(DType::kFloat32, model.embedding_shape(name));
  Tensor wrong(DType::kFloat32, Shape{1, 1});
  EXPECT_THROW(model.encode(name, samples[0], wrong.view()), ConfigError);
  EXPECT_THROW(model.prepare(name, samples[0], wrong.view()), ConfigError);
  EXPECT_THROW(model.encode_prepared(name, std::as_const(wrong).view(), embedding.view()),
               SampleError);
  Result result = model.make_result();
  std::vector<NamedEmbedding> embeddings;
  for (const ModalityDescription& modality : model.manifest().modalities) {
    embeddings.push_back({modality.name, {}});
  }
  EXPECT_THROW(model.fuse(embeddings, result), SampleError);
  embeddings.front().embedding = std::as_const(wrong).view();
  EXPECT_THROW(model.fuse(embeddings, result), SampleError);
  embedding.view().as_span<float>()[0] = NAN;
  embeddings.front().embedding = std::as_const(embedding).view();
  EXPECT_THROW(model.fuse(embeddings, result), SampleError);
}

TEST_P(ModelTest, ResultsBelongToTheirModelAndOutliveIt) {
  auto model = std::make_unique<Model>(Model::load(path(), options()));
  const Model other = Model::load(path(), options());
  const RandomSamples samples(model->manifest(), seed_);
  Result result = model->make_result();
  EXPECT_THROW(other.run(samples.present(1), result), ConfigError);
  model->run(samples.present(every(*model)), result);
  const std::vector<std::byte> before = bits_of(result);
  model.reset();
  EXPECT_EQ(bits_of(result), before);
  EXPECT_THROW(result["nothing"], ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Precisions, ModelTest, testing::Values("fp32", "int8"));

TEST(LoadTest, OptionsThatMakeNoSenseAreConfigErrors) {
  const char* path = std::getenv("PLAIT_TEST_BUNDLE");
  if (path == nullptr) GTEST_SKIP() << "PLAIT_TEST_BUNDLE names no bundle; scripts/test sets it";
  EXPECT_THROW(Model::load(path, {.precision = "fp3"}), ConfigError);
  EXPECT_THROW(Model::load(path, {.device = "abacus"}), ConfigError);
  EXPECT_THROW(Model::load(path, {.threads = -1}), ConfigError);
  EXPECT_NO_THROW(Model::load(path));  // opens the one ONNX Runtime of this process
  EXPECT_THROW(Model::load(path, {.onnxruntime = "/nowhere/libonnxruntime.so"}), ConfigError);
}

TEST(LoadTest, MissingFileIsABundleError) {
  EXPECT_THROW(Model::load("/nowhere/watch.plait"), BundleError);
}

}  // namespace
}  // namespace plait
