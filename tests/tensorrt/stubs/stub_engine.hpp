// stub_engine.hpp: engines and execution contexts of the stub of libnvinfer.
//
// What the backend does not call answers with nothing.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "stub_cuda.hpp"
#include "stub_plan.hpp"

namespace plait::stub {

// Each of the stub libraries has its own.
extern TensorRtControl control __attribute__((visibility("hidden")));
void log_error(const char* message);

class Context final : public IExecutionContext, private apiv::VExecutionContext {
 public:
  Context(std::shared_ptr<const Plan> plan, ICudaEngine& engine)
      : plan_(std::move(plan)), engine_(engine) {
    mImpl = this;
    ++control.contexts;
  }
  ~Context() noexcept override { --control.contexts; }

 private:
  bool setInputShape(char const* name, Dims const& dims) noexcept override {
    const IoTensor* tensor = plan_->find(name);
    const bool fits = tensor != nullptr && dims.nbDims == tensor->dims.nbDims &&
                      dims.d[0] >= plan_->least && dims.d[0] <= plan_->most;
    if (!fits || control.refuse_shape) {
      log_error("stub: a shape outside the profile.");
      return false;
    }
    samples_ = dims.d[0];
    return true;
  }
  bool setTensorAddress(char const* name, void* data) noexcept override {
    if (plan_->find(name) == nullptr) return false;
    addresses_[name] = data;
    return true;
  }
  bool enqueueV3(cudaStream_t stream) noexcept override {
    ++control.enqueues;
    if (control.enqueues_until_failure >= 0 && control.enqueues_until_failure-- == 0) {
      log_error("stub: an enqueue that the test wants to fail.");
      return false;
    }
    auto call = std::make_unique<Call>();
    call->scale = plan_->scale;
    call->samples = static_cast<std::size_t>(samples_);
    for (const IoTensor& tensor : plan_->tensors) {
      void* const data = addresses_[tensor.name];
      const std::size_t elements = sample_elements(tensor.dims);
      const std::size_t bytes = elements * call->samples * size_of(tensor.type);
      const bool aligned = reinterpret_cast<std::uintptr_t>(data) % 256 == 0;
      if (!aligned || !plait_stub_device_reaches(data, bytes)) {
        ++control.wrong_addresses;
        log_error("stub: an address that is not the device's.");
        return false;
      }
      auto& side = tensor.mode == TensorIOMode::kINPUT ? call->inputs : call->outputs;
      side.push_back({data, tensor.type, elements});
    }
    if (control.uncapturable && plait_stub_captures(stream)) {
      log_error("stub: this engine waits for its stream.");
      return false;
    }
    plait_stub_queue(
        stream, [](void* data) { static_cast<Call*>(data)->run(); }, call.release(),
        [](void* data) { const std::unique_ptr<Call> owner(static_cast<Call*>(data)); });
    return true;
  }

  IExecutionContext* getPImpl() noexcept override { return this; }
  void setDebugSync(bool) noexcept override {}
  bool getDebugSync() const noexcept override { return false; }
  void setProfiler(IProfiler*) noexcept override {}
  IProfiler* getProfiler() const noexcept override { return nullptr; }
  ICudaEngine const& getEngine() const noexcept override { return engine_; }
  void setName(char const*) noexcept override {}
  char const* getName() const noexcept override { return ""; }
  void setDeviceMemory(void*) noexcept override {}
  std::int32_t getOptimizationProfile() const noexcept override { return 0; }
  bool allInputDimensionsSpecified() const noexcept override { return samples_ > 0; }
  void setErrorRecorder(IErrorRecorder*) noexcept override {}
  IErrorRecorder* getErrorRecorder() const noexcept override { return nullptr; }
  bool executeV2(void* const*) noexcept override { return false; }
  bool setOptimizationProfileAsync(std::int32_t, cudaStream_t) noexcept override { return false; }
  void setEnqueueEmitsProfile(bool) noexcept override {}
  bool getEnqueueEmitsProfile() const noexcept override { return false; }
  bool reportToProfiler() const noexcept override { return false; }
  Dims getTensorShape(char const*) const noexcept override { return {}; }
  Dims getTensorStrides(char const*) const noexcept override { return {}; }
  void const* getTensorAddress(char const*) const noexcept override { return nullptr; }
  bool setInputTensorAddress(char const*, void const*) noexcept override { return false; }
  bool setOutputTensorAddress(char const*, void*) noexcept override { return false; }
  std::int32_t inferShapes(std::int32_t, char const**) noexcept override { return 0; }
  bool setInputConsumedEvent(cudaEvent_t) noexcept override { return false; }
  cudaEvent_t getInputConsumedEvent() const noexcept override { return nullptr; }
  void* getOutputTensorAddress(char const*) const noexcept override { return nullptr; }
  bool setOutputAllocator(char const*, IOutputAllocator*) noexcept override { return false; }
  IOutputAllocator* getOutputAllocator(char const*) noexcept override { return nullptr; }
  std::int64_t getMaxOutputSize(char const*) const noexcept override { return 0; }
  bool setTemporaryStorageAllocator(IGpuAllocator*) noexcept override { return false; }
  IGpuAllocator* getTemporaryStorageAllocator() const noexcept override { return nullptr; }
  void setPersistentCacheLimit(std::size_t) noexcept override {}
  std::size_t getPersistentCacheLimit() const noexcept override { return 0; }
  bool setNvtxVerbosity(ProfilingVerbosity) noexcept override { return false; }
  ProfilingVerbosity getNvtxVerbosity() const noexcept override {
    return ProfilingVerbosity::kNONE;
  }
  void setAuxStreams(cudaStream_t*, std::int32_t) noexcept override {}
  bool setDebugListener(IDebugListener*) noexcept override { return false; }
  IDebugListener* getDebugListener() noexcept override { return nullptr; }
  bool setTensorDebugState(char const*, bool) noexcept override { return false; }
  bool getDebugState(char const*) const noexcept override { return false; }
  bool setAllTensorsDebugState(bool) noexcept override { return false; }
  std::size_t updateDeviceMemorySizeForShapes() noexcept override { return 0; }
  void setDeviceMemoryV2(void*, std::int64_t) noexcept override {}
  IRuntimeConfig* getRuntimeConfig() const noexcept override { return nullptr; }
  bool setUnfusedTensorsDebugState(bool) noexcept override { return false; }
  bool getUnfusedTensorsDebugState() const noexcept override { return false; }
#if NV_TENSORRT_MAJOR < 11
  bool allInputShapesSpecified() const noexcept override { return true; }
#else
  bool setCommunicator(void*) noexcept override { return false; }
#endif

  std::shared_ptr<const Plan> plan_;
  ICudaEngine& engine_;
  std::int64_t samples_ = 0;
  std::map<std::string, void*> addresses_;
};

class Engine final : public ICudaEngine, private apiv::VCudaEngine {
 public:
  explicit Engine(std::unique_ptr<const Plan> plan) : plan_(std::move(plan)) {
    mImpl = this;
    ++control.engines;
  }
  ~Engine() noexcept override { --control.engines; }

 private:
  IExecutionContext* createExecutionContext(ExecutionContextAllocationStrategy) noexcept override {
    if (control.refuse_context) {
      log_error("stub: no memory for a context.");
      return nullptr;
    }
    return std::make_unique<Context>(plan_, *this).release();
  }
  Dims getTensorShape(char const* name) const noexcept override {
    const IoTensor* tensor = plan_->find(name);
    return tensor != nullptr ? tensor->dims : Dims{-1, {}};
  }
  DataType getTensorDataType(char const* name) const noexcept override {
    const IoTensor* tensor = plan_->find(name);
    return tensor != nullptr ? tensor->type : DataType::kFLOAT;
  }
  TensorIOMode getTensorIOMode(char const* name) const noexcept override {
    const IoTensor* tensor = plan_->find(name);
    return tensor != nullptr ? tensor->mode : TensorIOMode::kNONE;
  }
  Dims getProfileShape(char const* name, std::int32_t,
                       OptProfileSelector which) const noexcept override {
    Dims dims = getTensorShape(name);
    if (dims.d[0] < 0) dims.d[0] = which == OptProfileSelector::kMAX ? plan_->most : plan_->least;
    return dims;
  }
  std::int32_t getNbIOTensors() const noexcept override {
    return static_cast<std::int32_t>(plan_->tensors.size());
  }
  char const* getIOTensorName(std::int32_t index) const noexcept override {
    return plan_->tensors[static_cast<std::size_t>(index)].name.c_str();
  }
  TensorLocation getTensorLocation(char const*) const noexcept override {
    return TensorLocation::kDEVICE;
  }
  TensorFormat getTensorFormat(char const*) const noexcept override {
    return control.linear ? TensorFormat::kLINEAR : TensorFormat::kCHW32;
  }

  ICudaEngine* getPImpl() noexcept override { return this; }
  std::int32_t getNbLayers() const noexcept override { return 1; }
  IHostMemory* serialize() const noexcept override { return nullptr; }
  bool isRefittable() const noexcept override { return false; }
  char const* getName() const noexcept override { return "stub"; }
  std::int32_t getNbOptimizationProfiles() const noexcept override { return 1; }
  EngineCapability getEngineCapability() const noexcept override {
    return EngineCapability::kSTANDARD;
  }
  void setErrorRecorder(IErrorRecorder*) noexcept override {}
  IErrorRecorder* getErrorRecorder() const noexcept override { return nullptr; }
  TacticSources getTacticSources() const noexcept override { return 0; }
  ProfilingVerbosity getProfilingVerbosity() const noexcept override {
    return ProfilingVerbosity::kNONE;
  }
  IEngineInspector* createEngineInspector() const noexcept override { return nullptr; }
  bool isShapeInferenceIO(char const*) const noexcept override { return false; }
  std::int32_t getTensorBytesPerComponent(char const*) const noexcept override { return 0; }
  std::int32_t getTensorComponentsPerElement(char const*) const noexcept override { return 0; }
  char const* getTensorFormatDesc(char const*) const noexcept override { return ""; }
  std::int32_t getTensorVectorizedDim(char const*) const noexcept override { return -1; }
  HardwareCompatibilityLevel getHardwareCompatibilityLevel() const noexcept override {
    return HardwareCompatibilityLevel{};
  }
  std::int32_t getNbAuxStreams() const noexcept override { return 0; }
  std::int32_t getTensorBytesPerComponentV2(char const*, std::int32_t) const noexcept override {
    return 0;
  }
  std::int32_t getTensorComponentsPerElementV2(char const*, std::int32_t) const noexcept override {
    return 0;
  }
  TensorFormat getTensorFormatV2(char const* name, std::int32_t) const noexcept override {
    return getTensorFormat(name);
  }
  char const* getTensorFormatDescV2(char const*, std::int32_t) const noexcept override {
    return "";
  }
  std::int32_t getTensorVectorizedDimV2(char const*, std::int32_t) const noexcept override {
    return -1;
  }
  ISerializationConfig* createSerializationConfig() noexcept override { return nullptr; }
  IHostMemory* serializeWithConfig(ISerializationConfig&) const noexcept override {
    return nullptr;
  }
  IRefitter* createRefitter(ILogger&) noexcept override { return nullptr; }
  std::int64_t getStreamableWeightsSize() const noexcept override { return 0; }
  bool isDebugTensor(char const*) const noexcept override { return false; }
  bool setWeightStreamingBudgetV2(std::int64_t) noexcept override { return false; }
  std::int64_t getWeightStreamingBudgetV2() const noexcept override { return 0; }
  std::int64_t getWeightStreamingAutomaticBudget() const noexcept override { return 0; }
  std::int64_t getWeightStreamingScratchMemorySize() const noexcept override { return 0; }
  std::int64_t getDeviceMemorySizeV2() const noexcept override { return 0; }
  std::int64_t getDeviceMemorySizeForProfileV2(std::int32_t) const noexcept override { return 0; }
  std::int64_t const* getProfileTensorValuesV2(char const*, std::int32_t,
                                               OptProfileSelector) const noexcept override {
    return nullptr;
  }
  IExecutionContext* createExecutionContextWithRuntimeConfig(IRuntimeConfig*) noexcept override {
    return nullptr;
  }
  IRuntimeConfig* createRuntimeConfig() noexcept override { return nullptr; }
  std::int64_t getEngineStat(EngineStat) const noexcept override { return 0; }
#if NV_TENSORRT_MAJOR < 11
  IExecutionContext* createExecutionContextWithoutDeviceMemory() noexcept override {
    return nullptr;
  }
  std::size_t getDeviceMemorySize() const noexcept override { return 0; }
  std::int32_t const* getProfileTensorValues(char const*, std::int32_t,
                                             OptProfileSelector) const noexcept override {
    return nullptr;
  }
  bool hasImplicitBatchDimension() const noexcept override { return false; }
  std::size_t getDeviceMemorySizeForProfile(std::int32_t) const noexcept override { return 0; }
  bool setWeightStreamingBudget(std::int64_t) noexcept override { return false; }
  std::int64_t getWeightStreamingBudget() const noexcept override { return 0; }
  std::int64_t getMinimumWeightStreamingBudget() const noexcept override { return 0; }
#else
  char const* getAliasedInputTensor(char const*) const noexcept override { return nullptr; }
#endif
  std::shared_ptr<const Plan> plan_;
};

}  // namespace plait::stub
