// fake_host.hpp: TensorRT's side of a plugin's life, on the CPU: loads, builds, saves, loads, runs.
//
// Implements what TensorRT implements and plugins call: the logger's finder and the builder of
// shape expressions, and calls a plugin in TensorRT's order with TensorRT's arguments. Memory comes
// from the emulation of CUDA, filled with 0xFF, exactly as large as the plugin was promised.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plait/tensor.hpp"

namespace plait::testing {

/// Keeps what plugins say, and is the library's logger as long as it lives.
class FakeLog final : public nvinfer1::ILogger, public nvinfer1::ILoggerFinder {
 public:
  FakeLog();
  ~FakeLog() override;
  void log(Severity severity, const char* message) noexcept override;
  nvinfer1::ILogger* findLogger() override { return this; }
  /// All since the last call.
  std::string take();

 private:
  std::string text_;
};

/// Expressions of input dimensions; value() knows what they come to.
class FakeExpressions final : public nvinfer1::IExprBuilder {
 public:
  FakeExpressions();
  ~FakeExpressions() override;
  /// constant: known when the engine is built.
  const nvinfer1::IDimensionExpr* dimension(std::int64_t value, bool constant);
  static std::int64_t value(const nvinfer1::IDimensionExpr& expression);
  /// The output that a dimension is the value of, or -1.
  static std::int32_t size_tensor(const nvinfer1::IDimensionExpr& expression);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Fields as a file keeps them: copied, with names of their own.
class SavedFields {
 public:
  explicit SavedFields(const nvinfer1::PluginFieldCollection& fields);
  const nvinfer1::PluginFieldCollection* collection() const noexcept { return &collection_; }

 private:
  std::deque<std::string> names_;
  std::deque<std::vector<std::byte>> data_;
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection collection_{};
};

/// TensorRT deletes plugins through their interface.
using PluginPointer = std::unique_ptr<nvinfer1::IPluginV3>;

template <typename T>
T& capability(nvinfer1::IPluginV3& plugin, nvinfer1::PluginCapabilityType type) {
  return *static_cast<T*>(plugin.getCapabilityInterface(type));
}
inline auto& core_of(nvinfer1::IPluginV3& plugin) {
  return capability<nvinfer1::IPluginV3OneCore>(plugin, nvinfer1::PluginCapabilityType::kCORE);
}
inline auto& build_of(nvinfer1::IPluginV3& plugin) {
  return capability<nvinfer1::IPluginV3OneBuild>(plugin, nvinfer1::PluginCapabilityType::kBUILD);
}
inline auto& runtime_of(nvinfer1::IPluginV3& plugin) {
  return capability<nvinfer1::IPluginV3OneRuntime>(plugin,
                                                   nvinfer1::PluginCapabilityType::kRUNTIME);
}

/// All creators of the library; namespaces and names are its registry's keys.
std::map<std::pair<std::string, std::string>, nvinfer1::IPluginCreatorV3One*> registry_of_plugins();

nvinfer1::DataType type_of(DType dtype);
DType dtype_of(nvinfer1::DataType type);
nvinfer1::Dims dims_of(const Shape& shape);

/// Builds with a plugin for inputs of such shapes and types, and runs a clone of it that was saved
/// and loaded, as an engine is. Outputs have the shapes that sizes found on the device give. Throws
/// std::runtime_error with the log where a step fails.
class FakeHost {
 public:
  FakeHost(nvinfer1::IPluginCreatorV3One& creator, FakeLog& log) : creator_(creator), log_(log) {}

  /// constant: dimensions are known to the builder, else it knows only their range.
  std::vector<Tensor> live(const nvinfer1::PluginFieldCollection& fields,
                           std::span<const ConstTensorView> inputs, bool constant);

 private:
  struct Built;
  PluginPointer create(const nvinfer1::PluginFieldCollection& fields,
                       nvinfer1::TensorRTPhase phase);
  Built build(nvinfer1::IPluginV3& plugin, std::span<const ConstTensorView> inputs, bool constant);
  std::vector<Tensor> run(nvinfer1::IPluginV3& plugin, const Built& built,
                          std::span<const ConstTensorView> inputs);
  void require(bool good, const char* step);

  nvinfer1::IPluginCreatorV3One& creator_;
  FakeLog& log_;
};

}  // namespace plait::testing
