// test_tensorrt_library.cpp: the libraries are found as told, checked, and refused with what to do.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "backends/tensorrt/cuda_runtime.hpp"
#include "backends/tensorrt/library.hpp"
#include "plait/error.hpp"
#include "tensorrt_cases.hpp"

namespace plait::testing {
namespace {

using detail::CudaRuntime;
using detail::TensorRtLibrary;

const std::string kMajor = std::to_string(detail::kTensorRtMajor);

template <typename Kind>
ErrorParts refused(const std::function<void()>& done) {
  try {
    done();
  } catch (const Kind& error) {
    return error.parts();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class LibraryTest : public ::testing::Test {
 protected:
  void SetUp() override { reset_stubs(); }
  void TearDown() override { reset_stubs(); }
};

TEST_F(LibraryTest, says_its_version_as_tensorrts_python_module_does) {
  const TensorRtLibrary library(PLAIT_STUB_TENSORRT);
  EXPECT_EQ(library.version(), kMajor + ".3.7.42");
}

TEST_F(LibraryTest, makes_runtimes_with_the_librarys_own_version) {
  const TensorRtLibrary library(PLAIT_STUB_TENSORRT);
  const auto runtime = library.make_runtime();
  EXPECT_EQ(plait_stub_tensorrt()->linked_version, detail::kTensorRtMajor * 10000 + 307);
  plait_stub_tensorrt()->refuse_runtime = true;
  EXPECT_TRUE(
      contains(refused<BackendError>([&] { (void)library.make_runtime(); }).got, "no runtime"));
}

TEST_F(LibraryTest, refuses_another_major_version_and_names_both) {
  const ErrorParts parts =
      refused<BackendError>([] { const TensorRtLibrary library(PLAIT_STUB_TENSORRT_NEWER); });
  EXPECT_TRUE(contains(parts.expected, "TensorRT " + kMajor)) << parts.expected;
  EXPECT_TRUE(contains(parts.got, "99.3.7.42")) << parts.got;
  EXPECT_TRUE(contains(parts.action, "PLAIT_TENSORRT")) << parts.action;
}

TEST_F(LibraryTest, refuses_a_file_that_is_missing_or_another_library) {
  EXPECT_TRUE(contains(
      refused<BackendError>([] { const TensorRtLibrary library("/nowhere/libnvinfer.so"); }).got,
      "/nowhere/libnvinfer.so"));
  EXPECT_TRUE(
      contains(refused<BackendError>([] { const TensorRtLibrary library(PLAIT_STUB_CUDA); }).got,
               "without getInferLibVersion"));
  EXPECT_TRUE(
      contains(refused<BackendError>([] { const CudaRuntime cuda("/nowhere/libcudart.so"); }).got,
               "/nowhere/libcudart.so"));
  const ErrorParts parts =
      refused<BackendError>([] { const CudaRuntime cuda(PLAIT_STUB_PLUGINS); });
  EXPECT_TRUE(contains(parts.got, "cudaMalloc")) << parts.got;
  EXPECT_TRUE(contains(parts.action, "PLAIT_CUDART")) << parts.action;
}

TEST_F(LibraryTest, describes_the_device_that_engines_depend_on) {
  const CudaRuntime cuda(PLAIT_STUB_CUDA);
  EXPECT_EQ(cuda.device().name, "Stub, of host memory");
  EXPECT_EQ(cuda.device().compute_capability, "8.7");
  EXPECT_EQ(cuda.device().driver, "12.6");
  EXPECT_FALSE(cuda.device().integrated);
}

TEST_F(LibraryTest, refuses_a_machine_without_a_device) {
  plait_stub_cuda()->devices = 0;
  EXPECT_EQ(refused<BackendError>([] { const CudaRuntime cuda(PLAIT_STUB_CUDA); }).got, "none");
}

TEST_F(LibraryTest, refuses_a_device_of_which_cuda_says_nothing) {
  for (const char* function : {"cudaDriverGetVersion", "cudaGetDeviceCount",
                               "cudaDeviceGetAttribute", "cudaGetDeviceProperties"}) {
    constexpr int kDriverTooOld = 35;
    plait_stub_cuda()->failure = {.function = function, .error = kDriverTooOld};
    const ErrorParts parts = refused<BackendError>([] { const CudaRuntime cuda(PLAIT_STUB_CUDA); });
    EXPECT_TRUE(contains(parts.got, "CUDA error 35")) << function << ": " << parts.got;
  }
}

TEST_F(LibraryTest, runs_one_of_each_a_process) {
  const CudaRuntime& cuda = CudaRuntime::get(PLAIT_STUB_CUDA);
  EXPECT_EQ(&CudaRuntime::get({}), &cuda);
  EXPECT_EQ(&CudaRuntime::get(std::filesystem::path(PLAIT_STUB_CUDA).parent_path() / "." /
                              std::filesystem::path(PLAIT_STUB_CUDA).filename()),
            &cuda);
  EXPECT_TRUE(
      contains(refused<ConfigError>([] { (void)CudaRuntime::get(PLAIT_STUB_PLUGINS); }).expected,
               PLAIT_STUB_CUDA));
  const TensorRtLibrary& library = TensorRtLibrary::get(PLAIT_STUB_TENSORRT);
  EXPECT_EQ(&TensorRtLibrary::get({}), &library);
  EXPECT_TRUE(contains(
      refused<ConfigError>([] { (void)TensorRtLibrary::get(PLAIT_STUB_TENSORRT_NEWER); }).got,
      "newer"));
}

TEST_F(LibraryTest, loads_the_plugins_once_and_by_path) {
  const TensorRtLibrary library(PLAIT_STUB_TENSORRT);
  const int before = plait_stub_tensorrt()->plugin_libraries;
  EXPECT_EQ(library.load_plugins(PLAIT_STUB_PLUGINS), "stub-1");
  EXPECT_EQ(library.load_plugins(PLAIT_STUB_PLUGINS), "stub-1");
  EXPECT_EQ(library.load_plugins({}), "stub-1");
  EXPECT_EQ(plait_stub_tensorrt()->plugin_libraries, before + 1);
  EXPECT_THROW((void)library.load_plugins(PLAIT_STUB_CUDA), ConfigError);
}

TEST_F(LibraryTest, refuses_plugins_that_are_missing_foreign_or_not_taken) {
  const TensorRtLibrary library(PLAIT_STUB_TENSORRT);
  const auto got = [&](const std::filesystem::path& path) {
    return refused<BackendError>([&] { (void)library.load_plugins(path); }).got;
  };
  EXPECT_TRUE(contains(got({}), "libplait_tensorrt.so"));
  EXPECT_TRUE(contains(got(PLAIT_STUB_CUDA), "without plait_plugins_abi"));
  plait_stub_tensorrt()->refuse_plugins = true;
  EXPECT_TRUE(contains(got(PLAIT_STUB_PLUGINS), "registered already"));
  plait_stub_tensorrt()->refuse_plugins = false;
  EXPECT_EQ(library.load_plugins(PLAIT_STUB_PLUGINS), "stub-1");
}

}  // namespace
}  // namespace plait::testing
