// stub_tensorrt.cpp: the part of TensorRT's runtime that the backend uses. Interfaces are those of
// the headers compiled with; STUB_MAJOR is the version it says it is.
#include "stub_tensorrt.hpp"

#include <NvInferRuntime.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "stub_engine.hpp"

#ifndef STUB_MAJOR
#define STUB_MAJOR NV_TENSORRT_MAJOR
#endif

namespace plait::stub {

TensorRtControl control;

namespace {

std::atomic<ILogger*> logger{nullptr};

class Registry final : public IPluginRegistry {
 public:
  PluginLibraryHandle loadLibrary(AsciiChar const* path) noexcept override {
    if (control.refuse_plugins) {
      log_error("stub: these plugins are registered already.");
      return nullptr;
    }
    ++control.plugin_libraries;
    return const_cast<char*>(path);
  }
  void setErrorRecorder(IErrorRecorder* const) noexcept override {}
  IErrorRecorder* getErrorRecorder() const noexcept override { return nullptr; }
  bool isParentSearchEnabled() const override { return true; }
  void setParentSearchEnabled(bool const) override {}
  void deregisterLibrary(PluginLibraryHandle) noexcept override {}
  bool registerCreator(IPluginCreatorInterface&, AsciiChar const* const) noexcept override {
    return true;
  }
  IPluginCreatorInterface* const* getAllCreators(
      std::int32_t* const count) const noexcept override {
    *count = 0;
    return nullptr;
  }
  IPluginCreatorInterface* getCreator(AsciiChar const* const, AsciiChar const* const,
                                      AsciiChar const* const) noexcept override {
    return nullptr;
  }
  bool deregisterCreator(IPluginCreatorInterface const&) noexcept override { return false; }
  IPluginResource* acquirePluginResource(AsciiChar const*, IPluginResource*) noexcept override {
    return nullptr;
  }
  std::int32_t releasePluginResource(AsciiChar const*) noexcept override { return 0; }
  IPluginCreatorInterface* const* getAllCreatorsRecursive(
      std::int32_t* const count) noexcept override {
    *count = 0;
    return nullptr;
  }
#if NV_TENSORRT_MAJOR < 11
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  bool registerCreator(IPluginCreator&, AsciiChar const* const) noexcept override { return false; }
  IPluginCreator* const* getPluginCreatorList(std::int32_t* const) const noexcept override {
    return nullptr;
  }
  IPluginCreator* getPluginCreator(AsciiChar const* const, AsciiChar const* const,
                                   AsciiChar const* const) noexcept override {
    return nullptr;
  }
  bool deregisterCreator(IPluginCreator const&) noexcept override { return false; }
#pragma GCC diagnostic pop
#endif
};

class Runtime final : public IRuntime, private apiv::VRuntime {
 public:
  Runtime() {
    mImpl = this;
    ++control.runtimes;
  }
  ~Runtime() noexcept override { --control.runtimes; }

 private:
  ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept override {
    std::unique_ptr<Plan> plan = parse(std::string(static_cast<const char*>(blob), size));
    if (plan == nullptr) {
      log_error("stub: magic tag does not match.");
      return nullptr;
    }
    return std::make_unique<Engine>(std::move(plan)).release();
  }
  IPluginRegistry& getPluginRegistry() noexcept override;

  IRuntime* getPImpl() noexcept override { return this; }
  void setDLACore(std::int32_t) noexcept override {}
  std::int32_t getDLACore() const noexcept override { return -1; }
  std::int32_t getNbDLACores() const noexcept override { return 0; }
  void setGpuAllocator(IGpuAllocator*) noexcept override {}
  void setErrorRecorder(IErrorRecorder*) noexcept override {}
  IErrorRecorder* getErrorRecorder() const noexcept override { return nullptr; }
  ILogger* getLogger() const noexcept override { return logger; }
  bool setMaxThreads(std::int32_t) noexcept override { return true; }
  std::int32_t getMaxThreads() const noexcept override { return 1; }
  void setTemporaryDirectory(char const*) noexcept override {}
  char const* getTemporaryDirectory() const noexcept override { return ""; }
  void setTempfileControlFlags(TempfileControlFlags) noexcept override {}
  TempfileControlFlags getTempfileControlFlags() const noexcept override { return 0; }
  void setPluginRegistryParent(IPluginRegistry*) noexcept override {}
  IRuntime* loadRuntime(char const*) noexcept override { return nullptr; }
  void setEngineHostCodeAllowed(bool) noexcept override {}
  bool getEngineHostCodeAllowed() const noexcept override { return false; }
  ICudaEngine* deserializeCudaEngineV2(IStreamReaderV2&) noexcept override { return nullptr; }
#if NV_TENSORRT_MAJOR < 11
  ICudaEngine* deserializeCudaEngine(IStreamReader&) noexcept override { return nullptr; }
#endif
};

Registry registry;

IPluginRegistry& Runtime::getPluginRegistry() noexcept { return registry; }

}  // namespace

void log_error(const char* message) {
  ILogger* const to = logger;
  if (to != nullptr) to->log(ILogger::Severity::kERROR, message);
}

}  // namespace plait::stub

extern "C" {

plait::stub::TensorRtControl* plait_stub_tensorrt() { return &plait::stub::control; }

void* createInferRuntime_INTERNAL(void* given_logger, std::int32_t version) noexcept {
  plait::stub::logger = static_cast<nvinfer1::ILogger*>(given_logger);
  plait::stub::control.linked_version = version;
  if (plait::stub::control.refuse_runtime) {
    plait::stub::log_error("stub: no runtime.");
    return nullptr;
  }
  return static_cast<nvinfer1::IRuntime*>(std::make_unique<plait::stub::Runtime>().release());
}

nvinfer1::IPluginRegistry* getPluginRegistry() noexcept { return &plait::stub::registry; }

std::int32_t getInferLibVersion() noexcept { return STUB_MAJOR * 10000 + 307; }
std::int32_t getInferLibMajorVersion() noexcept { return STUB_MAJOR; }
std::int32_t getInferLibMinorVersion() noexcept { return 3; }
std::int32_t getInferLibPatchVersion() noexcept { return 7; }
std::int32_t getInferLibBuildVersion() noexcept { return 42; }

}  // extern "C"
