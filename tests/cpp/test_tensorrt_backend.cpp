// test_tensorrt_backend.cpp: a whole bundle on engines of the cache, found by all that they depend
// on.
//
// Runs on whatever bundle PLAIT_TEST_BUNDLE names, with engines of the stub's in place of its
// graphs.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "backends/tensorrt/engine_key.hpp"
#include "bundle_writer.hpp"
#include "plait/plait.hpp"
#include "tensorrt_cases.hpp"

namespace plait::testing {
namespace {

namespace fs = std::filesystem;
using detail::EngineKey;

constexpr double kRounding = 1e-5;

class BackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("PLAIT_TEST_BUNDLE");
    if (path == nullptr) GTEST_SKIP() << "PLAIT_TEST_BUNDLE names no bundle; scripts/test sets it";
    bundle_ = path;
    reset_stubs();
    folder_ = fs::temp_directory_path() / ("plait-engines-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
    reset_stubs();
  }

  LoadOptions options() const { return stub_options(folder_ / "cache"); }

  void build(
      const fs::path& bundle, const std::string& precision, std::int64_t most = 1,
      const KeyChange& change = [](EngineKey&) {}) const {
    store_engines(bundle, precision, options(), most, change);
  }

  ErrorParts refused(const LoadOptions& options) const {
    try {
      (void)Model::load(bundle_, options);
    } catch (const BackendError& error) {
      return error.parts();
    }
    ADD_FAILURE() << "the bundle was loaded";
    return {};
  }

  std::string default_precision() const {
    return Bundle::open(bundle_).manifest().default_precision;
  }

  fs::path bundle_;
  fs::path folder_;
};

/// What the stub's engine answers, in double.
std::vector<double> answer(const std::vector<std::vector<double>>& inputs, std::size_t values) {
  std::vector<double> out(values, 0.0);
  for (std::size_t i = 0; i < values; ++i) {
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      out[i] += 0.5 * static_cast<double>(k + 1) * inputs[k][i % inputs[k].size()];
    }
  }
  return out;
}

std::vector<double> values_of(const ConstTensorView& view) {
  const auto* data = static_cast<const float*>(view.data);
  return {data, data + view.shape.elements()};
}

void expect_near(const std::vector<double>& got, const std::vector<double>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  double largest = 1.0;
  for (const double value : wanted) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], kRounding * largest);
}

/// Random windows of every modality of a manifest of signals.
struct Windows {
  Windows(const Manifest& manifest, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, 3.0F);
    for (const ModalityDescription& modality : manifest.modalities) {
      const SignalDescription& signal = modality.signal;
      Tensor& window =
          tensors.emplace_back(DType::kFloat32, Shape{signal.window, signal.sensor_channels});
      for (float& value : window.view().as_span<float>()) value = normal(generator);
      samples.emplace_back(Signal{.values = std::as_const(window).view()});
      names.push_back(modality.name);
    }
  }
  std::vector<NamedSample> named() const {
    std::vector<NamedSample> all;
    for (std::size_t m = 0; m < names.size(); ++m) all.push_back({names[m], &samples[m]});
    return all;
  }
  std::vector<Tensor> tensors;
  std::vector<Sample> samples;
  std::vector<std::string> names;
};

TEST_F(BackendTest, a_bundle_answers_with_what_its_engines_compute) {
  build(bundle_, default_precision());
  const Model model = Model::load(bundle_, options());
  EXPECT_TRUE(model.backend().starts_with("tensorrt ")) << model.backend();
  const Manifest& manifest = model.manifest();
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Windows windows(manifest, seed);
  Result result = model.make_result();
  const std::vector<NamedSample> samples = windows.named();
  model.run(samples, result);

  std::map<std::string, std::vector<double>> embeddings;
  for (std::size_t m = 0; m < windows.names.size(); ++m) {
    Tensor prepared(model.input_dtype(windows.names[m]), model.input_shape(windows.names[m]));
    model.prepare(windows.names[m], windows.samples[m], prepared.view());
    const auto values =
        static_cast<std::size_t>(model.embedding_shape(windows.names[m]).elements());
    embeddings[windows.names[m]] = answer({values_of(std::as_const(prepared).view())}, values);
  }
  for (const HeadDescription& head : manifest.heads) {
    std::vector<std::vector<double>> inputs;
    for (const std::string& modality : head.modalities) inputs.push_back(embeddings.at(modality));
    inputs.emplace_back(head.modalities.size(), 1.0);  // all present
    const std::vector<double> got = values_of(result[head.name].output);
    expect_near(got, answer(inputs, got.size()));
  }
  const testing_support::AllocationCounter allocations;
  for (int i = 0; i < 3; ++i) model.run(samples, result);
  EXPECT_EQ(allocations.count(), 0U);
}

TEST_F(BackendTest, a_bundle_without_engines_says_how_to_build_them) {
  const ErrorParts parts = refused(options());
  EXPECT_NE(parts.got.find("no engine"), std::string::npos) << parts.got;
  EXPECT_NE(parts.action.find("plait build"), std::string::npos) << parts.action;
  EXPECT_NE(parts.action.find(default_precision()), std::string::npos) << parts.action;
}

TEST_F(BackendTest, an_engine_built_for_anything_else_is_not_run) {
  const KeyChange changes[] = {[](EngineKey& key) { key.tensorrt = "10.3.0.1"; },
                               [](EngineKey& key) { key.device = "Another GPU"; },
                               [](EngineKey& key) { key.compute_capability = "8.6"; },
                               [](EngineKey& key) { key.driver = "11.4"; },
                               [](EngineKey& key) { key.precision = "other"; },
                               [](EngineKey& key) { key.plugins = "other-abi"; },
                               [](EngineKey& key) { key.graph_sha256 = std::string(64, 'a'); }};
  for (const auto& change : changes) {
    build(bundle_, default_precision(), 1, change);
    build(bundle_, default_precision(), 4, change);
    EXPECT_FALSE(refused(options()).got.empty());
  }
  build(bundle_, default_precision());
  EXPECT_NO_THROW((void)Model::load(bundle_, options()));
}

TEST_F(BackendTest, an_engine_of_larger_batches_runs_where_there_is_none_of_one) {
  build(bundle_, default_precision(), 4);
  EXPECT_NO_THROW((void)Model::load(bundle_, options()));
}

TEST_F(BackendTest, a_damaged_engine_is_not_run) {
  build(bundle_, default_precision());
  for (const auto& entry : fs::directory_iterator(options().engine_cache)) {
    if (entry.path().extension() != ".plan") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file.put('!');
  }
  EXPECT_FALSE(refused(options()).got.empty());
}

TEST_F(BackendTest, the_first_variant_made_for_tensorrt_is_what_it_runs_unless_told) {
  const Bundle bundle = Bundle::open(bundle_);
  nlohmann::json manifest = nlohmann::json::parse(bundle.manifest_json());
  ASSERT_GE(manifest["variants"].size(), 2U);
  const std::string last = manifest["variants"].back()["precision"];
  ASSERT_NE(last, bundle.manifest().default_precision);
  manifest["variants"].back()["target"] = "tensorrt";
  MemberList members;
  for (const auto& [name, description] : bundle.manifest().members) {
    const std::span<const std::byte> bytes = bundle.member(name, true);
    members.emplace_back(name,
                         std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  const Bytes altered = write_bundle(manifest.dump(), members);
  const fs::path path = folder_ / "altered.plait";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(altered.data()),
             static_cast<std::streamsize>(altered.size()));
  build(path, last);
  EXPECT_EQ(Model::load(path, options()).precision(), last);
  LoadOptions told = options();
  told.precision = bundle.manifest().default_precision;
  build(path, told.precision);
  EXPECT_EQ(Model::load(path, told).precision(), told.precision);
}

TEST_F(BackendTest, providers_that_this_onnx_runtime_lacks_are_refused_by_name) {
  for (const auto& [device, provider] : {std::pair{"cuda", "CUDAExecutionProvider"},
                                         std::pair{"cuda-tensorrt", "TensorrtExecutionProvider"}}) {
    LoadOptions wanted;
    wanted.device = device;
    const ErrorParts parts = refused(wanted);
    EXPECT_NE(parts.expected.find(provider), std::string::npos) << parts.expected;
    EXPECT_NE(parts.got.find("CPUExecutionProvider"), std::string::npos) << parts.got;
  }
}

TEST_F(BackendTest, a_device_that_is_none_is_refused) {
  LoadOptions wanted;
  wanted.device = "gpu";
  EXPECT_THROW((void)Model::load(bundle_, wanted), ConfigError);
}

}  // namespace
}  // namespace plait::testing
