// ops/adapters/tensorrt_plugin.hpp: one operator of one node, as TensorRT builds and runs it.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <span>
#include <string>

#include "ops/adapters/tensorrt_fields.hpp"
#include "ops/cuda.hpp"
#include "ops/shape_rule.hpp"

namespace plait::ops {

/// Tells TensorRT's logger, or standard error where there is none yet.
void log_error(const std::string& message) noexcept;
void set_logger_finder(nvinfer1::ILoggerFinder* finder) noexcept;

/// What a plugin and its clones share. Immutable.
struct PluginModel {
  PluginModel(const CudaEntry& entry, const Attributes& attributes, std::string of_namespace)
      : op(entry.make(attributes)),
        rule(*entry.schema, attributes),
        fields(*entry.schema, attributes),
        name(entry.schema->name),
        name_space(std::move(of_namespace)),
        timing_cache_id(fields.text()) {}

  const Schema& schema() const noexcept { return op->op().schema(); }
  std::size_t input_count() const noexcept { return schema().inputs().size(); }
  /// Outputs of the operator, and behind them the size that depends on values, where one does.
  std::size_t output_count() const noexcept {
    return schema().outputs().size() + (schema().shapes_from_values ? 1 : 0);
  }

  std::unique_ptr<const CudaOp> op;
  ShapeRule rule;
  Fields fields;
  std::string name;
  std::string name_space;
  std::string timing_cache_id;
};

/// All three capabilities in one object, as clones share what they know. TensorRT calls a plugin
/// from one thread at a time; enqueue allocates nothing.
class Plugin final : public nvinfer1::IPluginV3,
                     public nvinfer1::IPluginV3OneCore,
                     public nvinfer1::IPluginV3OneBuild,
                     public nvinfer1::IPluginV3OneRuntime {
 public:
  explicit Plugin(std::shared_ptr<const PluginModel> model) : model_(std::move(model)) {}

  nvinfer1::IPluginCapability* getCapabilityInterface(
      nvinfer1::PluginCapabilityType type) noexcept override;
  nvinfer1::IPluginV3* clone() noexcept override;

  const char* getPluginName() const noexcept override { return model_->name.c_str(); }
  const char* getPluginVersion() const noexcept override;
  const char* getPluginNamespace() const noexcept override { return model_->name_space.c_str(); }

  std::int32_t configurePlugin(const nvinfer1::DynamicPluginTensorDesc* in, std::int32_t in_count,
                               const nvinfer1::DynamicPluginTensorDesc* out,
                               std::int32_t out_count) noexcept override;
  std::int32_t getOutputDataTypes(nvinfer1::DataType* out, std::int32_t out_count,
                                  const nvinfer1::DataType* in,
                                  std::int32_t in_count) const noexcept override;
  std::int32_t getOutputShapes(const nvinfer1::DimsExprs* in, std::int32_t in_count,
                               const nvinfer1::DimsExprs* shape_inputs,
                               std::int32_t shape_input_count, nvinfer1::DimsExprs* out,
                               std::int32_t out_count,
                               nvinfer1::IExprBuilder& builder) noexcept override;
  bool supportsFormatCombination(std::int32_t position,
                                 const nvinfer1::DynamicPluginTensorDesc* tensors,
                                 std::int32_t in_count, std::int32_t out_count) noexcept override;
  std::int32_t getNbOutputs() const noexcept override {
    return static_cast<std::int32_t>(model_->output_count());
  }
  std::size_t getWorkspaceSize(const nvinfer1::DynamicPluginTensorDesc* in, std::int32_t in_count,
                               const nvinfer1::DynamicPluginTensorDesc* out,
                               std::int32_t out_count) const noexcept override;
  const char* getTimingCacheID() noexcept override { return model_->timing_cache_id.c_str(); }

  std::int32_t onShapeChange(const nvinfer1::PluginTensorDesc* in, std::int32_t in_count,
                             const nvinfer1::PluginTensorDesc* out,
                             std::int32_t out_count) noexcept override;
  std::int32_t enqueue(const nvinfer1::PluginTensorDesc* in, const nvinfer1::PluginTensorDesc* out,
                       const void* const* inputs, void* const* outputs, void* workspace,
                       cudaStream_t stream) noexcept override;
  nvinfer1::IPluginV3* attachToContext(nvinfer1::IPluginResourceContext*) noexcept override {
    return clone();
  }
  const nvinfer1::PluginFieldCollection* getFieldsToSerialize() noexcept override {
    return model_->fields.collection();
  }

 private:
  std::shared_ptr<const PluginModel> model_;
};

}  // namespace plait::ops
