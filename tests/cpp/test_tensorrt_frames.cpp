// test_tensorrt_frames.cpp: frames that go to the (stub) device raw come out of the engine as those
// that the host prepared, bit for bit; whatever fails on the way is told.
//
// The stub's engines multiply their input by 0.5, which rounds nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "bundle_writer.hpp"
#include "frame_cases.hpp"
#include "plait/plait.hpp"
#include "preprocess/frame.hpp"
#include "runtime/device_frames.hpp"
#include "stub_kernels.hpp"
#include "tensorrt_cases.hpp"

namespace plait::testing {
namespace {

namespace fs = std::filesystem;
using testing_support::OwnedFrame;
using testing_support::random_frame;

constexpr std::int64_t kHeight = 23;
constexpr std::int64_t kWidth = 31;

std::vector<float> values_of(const ConstTensorView& view) {
  const auto* data = static_cast<const float*>(view.data);
  return {data, data + view.shape.elements()};
}

ModalityDescription camera(DType dtype) {
  auto modality =
      testing_support::levels_of(FrameFilter::kBicubic, FrameArithmetic::kFast, kHeight, kWidth);
  modality.frame.fit = FrameFit::kLetterbox;
  modality.frame.pad = 114.0F;
  modality.frame.dtype = dtype;
  return modality;
}

/// An encoder on the stubs that takes frames, and what prepares them.
struct Encoder {
  Encoder(const StubDevice& device, DType dtype, std::int64_t most = 1)
      : preprocessor(detail::make_frame_preprocessor(camera(dtype), "test")),
        scratch(preprocessor->make_scratch()),
        host(stub_host(device)),
        input(dtype, preprocessor->input_shape()),
        embedding(DType::kFloat32, Shape{1, input.shape().elements()}) {
    engine.scale = 0.5F;
    engine.most = most;
    engine.graph.inputs = {{"image", dtype, {-1, 3, kHeight, kWidth}}};
    engine.graph.outputs = {{"embedding", DType::kFloat32, {-1, embedding.shape()[1]}}};
    const std::string plan = plan_of(engine);
    executable = detail::make_engine(host, engine.graph, bytes_of(plan), "test.plait, image");
    const TensorView in = input.view();
    const TensorView out = embedding.view();
    bound = executable->bind({&in, 1}, {&out, 1});
    frames = std::make_unique<detail::DeviceFrames>(*preprocessor->cuda(), *bound->device_run(),
                                                    detail::open_frame_kernel(PLAIT_STUB_KERNELS),
                                                    "test.plait, modality image");
  }

  std::vector<float> encoded(const Sample& sample) {
    std::ranges::fill(embedding.view().as_span<float>(), -1.0F);
    (void)frames->encode(sample);
    return values_of(std::as_const(embedding).view());
  }
  std::vector<float> encoded_by_host(const Sample& sample) {
    preprocessor->prepare(sample, *scratch, input.view());
    bound->run();
    return values_of(std::as_const(embedding).view());
  }

  std::unique_ptr<detail::Preprocessor> preprocessor;
  std::unique_ptr<detail::PrepareScratch> scratch;
  std::shared_ptr<detail::EngineHost> host;
  EngineCase engine;
  Tensor input;
  Tensor embedding;
  std::unique_ptr<detail::Executable> executable;
  std::unique_ptr<detail::BoundRun> bound;
  std::unique_ptr<detail::DeviceFrames> frames;
};

class DeviceFramesTest : public ::testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(held_by_stubs(), "");
    EXPECT_EQ(plait_stub_cuda()->wrong_pointers, 0);
    EXPECT_EQ(plait_stub_cuda()->unlocked_copies, 0);
    EXPECT_EQ(plait_stub_tensorrt()->wrong_addresses, 0);
    plait_stub_kernels()->refuse = false;
    reset_stubs();
  }
  const std::uint32_t seed_ = std::random_device{}();
  std::mt19937 generator_{seed_};
  const ::testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

TEST_F(DeviceFramesTest, frames_prepared_on_the_device_give_the_bits_of_those_of_the_host) {
  for (const StubDevice& device :
       {StubDevice{}, StubDevice{.registers = false}, StubDevice{.uncapturable = true},
        StubDevice{.integrated = true}, StubDevice{.integrated = true, .registers = false}}) {
    for (const DType dtype : {DType::kFloat32, DType::kUInt8}) {
      Encoder encoder(device, dtype);
      // More sizes than are kept, each of them twice.
      for (int i = 0; i < 24; ++i) {
        const auto format = static_cast<PixelFormat>(i % 10);
        const OwnedFrame owned =
            random_frame(format, 20 + 2 * (i % 12), 60 - 4 * (i % 12), generator_);
        const int queued = plait_stub_kernels()->frames;
        const std::vector<float> got = encoder.encoded(owned.frame);
        EXPECT_EQ(plait_stub_kernels()->frames, queued + 1);
        ASSERT_EQ(got, encoder.encoded_by_host(owned.frame)) << name_of(format);
      }
    }
  }
}

TEST_F(DeviceFramesTest, once_warm_a_frame_is_one_upload_and_allocates_nothing) {
  Encoder encoder(StubDevice{}, DType::kFloat32);
  const OwnedFrame owned = random_frame(PixelFormat::kNV12, 64, 48, generator_);
  const Sample sample = owned.frame;
  (void)encoder.frames->encode(sample);
  const int copies = plait_stub_cuda()->copies;
  const int memories = plait_stub_cuda()->memories;
  const testing_support::AllocationCounter allocations;
  for (int i = 0; i < 3; ++i) (void)encoder.frames->encode(sample);
  EXPECT_EQ(allocations.count(), 0U);
  EXPECT_EQ(plait_stub_cuda()->copies, copies + 3);
  EXPECT_EQ(plait_stub_cuda()->memories, memories);
}

TEST_F(DeviceFramesTest, sizes_that_keep_changing_come_to_need_no_more_memory) {
  Encoder encoder(StubDevice{}, DType::kFloat32);
  for (int i = 0; i < 8; ++i) {
    (void)encoder.encoded(random_frame(PixelFormat::kRGB8, 60 + i, 50, generator_).frame);
  }
  plait_stub_cuda()->failure = {.function = "cudaMalloc", .lasting = true};
  for (int i = 0; i < 20; ++i) {
    const OwnedFrame owned = random_frame(PixelFormat::kRGB8, 64 - 2 * i, 50 - i, generator_);
    EXPECT_EQ(encoder.encoded(owned.frame), encoder.encoded_by_host(owned.frame)) << i;
  }
}

TEST_F(DeviceFramesTest, a_failure_is_told_and_the_next_frame_is_right) {
  for (const char* function : {"cudaMalloc", "cudaHostAlloc", "cudaMemcpyAsync", "cudaGraphLaunch",
                               "cudaStreamSynchronize", "the kernel"}) {
    Encoder encoder(StubDevice{}, DType::kFloat32);
    const OwnedFrame small = random_frame(PixelFormat::kYUYV, 18, 10, generator_);
    const OwnedFrame large = random_frame(PixelFormat::kYUYV, 42, 30, generator_);
    (void)encoder.encoded(small.frame);
    if (std::string(function) == "the kernel") {
      plait_stub_kernels()->refuse = true;
    } else {
      plait_stub_cuda()->failure = {.function = function};
    }
    EXPECT_THROW((void)encoder.encoded(large.frame), BackendError) << function;
    plait_stub_cuda()->failure = {};
    plait_stub_kernels()->refuse = false;
    for (const Frame& frame : {small.frame, large.frame}) {
      EXPECT_EQ(encoder.encoded(frame), encoder.encoded_by_host(frame)) << function;
    }
  }
}

TEST_F(DeviceFramesTest, a_frame_that_makes_no_sense_is_refused_before_anything_is_queued) {
  Encoder encoder(StubDevice{}, DType::kFloat32);
  const OwnedFrame owned = random_frame(PixelFormat::kNV12, 12, 8, generator_);
  Frame cut = owned.frame;
  cut.planes[1].bytes -= 1;
  Frame outside = owned.frame;
  outside.region = {4, 4, 12, 4};
  const OwnedFrame depth = random_frame(PixelFormat::kGray16, 12, 8, generator_);
  const int queued = plait_stub_kernels()->frames;
  for (const Sample& wrong : {Sample(cut), Sample(outside), Sample(depth.frame), Sample(Text{})}) {
    EXPECT_THROW((void)encoder.frames->encode(wrong), SampleError);
  }
  EXPECT_EQ(plait_stub_kernels()->frames, queued);
}

TEST_F(DeviceFramesTest, an_engine_of_several_inputs_or_batches_takes_none) {
  const auto host = stub_host();
  const EngineCase several = engine_case();
  const std::string plan = plan_of(several);
  const auto executable = detail::make_engine(host, several.graph, bytes_of(plan), "test");
  EngineMemory memory(several, 1);
  EXPECT_EQ(memory.bind(*executable)->device_run(), nullptr);
  EngineCase single = engine_case(1, 2);
  single.graph.inputs.resize(1);
  const std::string batches = plan_of(single);
  const auto split = detail::make_engine(host, single.graph, bytes_of(batches), "test");
  EngineMemory two(single, 2);
  EngineMemory four(single, 4);
  EXPECT_NE(two.bind(*split)->device_run(), nullptr);
  EXPECT_EQ(four.bind(*split)->device_run(), nullptr);
}

/// The example bundle with a camera whose encoder hands on all that it gets.
fs::path camera_bundle(const fs::path& folder) {
  nlohmann::json manifest = frame_manifest();
  manifest["modalities"][0]["frame"]["arithmetic"] = "fast";
  const nlohmann::json shape = {"batch", 37 * 29 * 3};
  manifest["graphs"][0]["outputs"][0]["shape"] = shape;
  manifest["graphs"][2]["inputs"][0]["shape"] = shape;
  manifest["graphs"][4]["inputs"][0]["shape"] = shape;
  const Bytes bytes = write_bundle(manifest.dump(), example_members());
  const fs::path path = folder / "camera.plait";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return path;
}

std::vector<float> encoded(const Model& model, const Sample& sample) {
  Tensor out(DType::kFloat32, model.embedding_shape("wrist"));
  model.encode("wrist", sample, out.view());
  return values_of(std::as_const(out).view());
}

class DeviceFramesModelTest : public DeviceFramesTest {
 protected:
  void SetUp() override {
    reset_stubs();
    folder_ = fs::temp_directory_path() / ("plait-frames-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    bundle_ = camera_bundle(folder_);
    options_ = stub_options(folder_ / "cache");
    store_engines(bundle_, "int8", options_);
  }
  void TearDown() override {
    fs::remove_all(folder_);
    DeviceFramesTest::TearDown();
  }

  fs::path folder_;
  fs::path bundle_;
  LoadOptions options_;
};

TEST_F(DeviceFramesModelTest, a_model_answers_the_same_whoever_prepares_its_frames) {
  const Model host = Model::load(bundle_, options_);
  options_.cuda_kernels = PLAIT_STUB_KERNELS;
  const Model device = Model::load(bundle_, options_);
  const OwnedFrame owned = random_frame(PixelFormat::kNV12, 90, 62, generator_);
  const Sample frame = owned.frame;
  Tensor window(DType::kFloat32, Shape{37, 3});
  std::ranges::fill(window.view().as_span<float>(), 0.5F);
  const Sample signal = Signal{.values = std::as_const(window).view()};
  const std::vector<NamedSample> samples = {{"wrist", &frame}, {"chest", &signal}};

  const int queued = plait_stub_kernels()->frames;
  const std::vector<float> wanted = encoded(host, frame);
  Result by_host = host.make_result();
  host.run(samples, by_host);
  EXPECT_EQ(plait_stub_kernels()->frames, queued);
  EXPECT_EQ(encoded(device, frame), wanted);
  Result by_device = device.make_result();
  device.run(samples, by_device);
  EXPECT_EQ(plait_stub_kernels()->frames, queued + 2);
  for (const char* head : {"exercise", "place"}) {
    EXPECT_EQ(values_of(by_device[head].output), values_of(by_host[head].output)) << head;
  }
  const testing_support::AllocationCounter allocations;
  device.run(samples, by_device);
  EXPECT_EQ(allocations.count(), 0U);
}

TEST_F(DeviceFramesModelTest, kernels_that_are_named_but_not_there_are_refused) {
  for (const fs::path& wrong : {folder_ / "none.so", fs::path(PLAIT_STUB_PLUGINS)}) {
    options_.cuda_kernels = wrong;
    EXPECT_THROW((void)Model::load(bundle_, options_), BackendError);
  }
}

}  // namespace
}  // namespace plait::testing
