// tensorrt_plugin.cpp: what TensorRT asks of a plugin, answered from the operator's description.
#include "ops/adapters/tensorrt_plugin.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <exception>
#include <limits>
#include <optional>
#include <utility>

#include "ops/adapters/tensorrt.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

using nvinfer1::DataType;
using nvinfer1::DimensionOperation;
using nvinfer1::IDimensionExpr;

std::atomic<nvinfer1::ILoggerFinder*> logger_finder = nullptr;

/// Runs body; whatever it throws is told and becomes the answer of a failure.
template <typename Result, typename Body>
Result guarded(const PluginModel& model, Result failure, const Body& body) noexcept {
  try {
    return body();
  } catch (const Error& error) {
    log_error(error.what());
  } catch (const std::exception& error) {
    log_error("plugin " + model.name + ": " + error.what());
  }
  return failure;
}

DataType type_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::kFloat16:
      return DataType::kHALF;
    case DType::kInt32:
      return DataType::kINT32;
    default:
      return DataType::kFLOAT;
  }
}

std::optional<DType> dtype_of(DataType type) noexcept {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kInt32}) {
    if (type_of(dtype) == type) return dtype;
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const PluginModel& model, std::string where, std::string expected,
                         std::string got) {
  throw SampleError({.where = "plugin " + model.name + std::move(where),
                     .expected = std::move(expected),
                     .got = std::move(got),
                     .action = ""});
}

void check_counts(const PluginModel& model, std::int32_t inputs, std::int32_t outputs) {
  const std::size_t in = model.input_count();
  const std::size_t out = model.output_count();
  if (static_cast<std::size_t>(inputs) == in && static_cast<std::size_t>(outputs) == out) return;
  refuse(model, "", std::to_string(in) + " inputs and " + std::to_string(out) + " outputs",
         std::to_string(inputs) + " and " + std::to_string(outputs));
}

Shape shape_of(const PluginModel& model, const nvinfer1::Dims& dims) {
  if (dims.nbDims < 0 || static_cast<std::size_t>(dims.nbDims) > kMaxRank) {
    refuse(model, "", "at most " + std::to_string(kMaxRank) + " dimensions",
           std::to_string(dims.nbDims));
  }
  return Shape(std::span<const std::int64_t>(dims.d, static_cast<std::size_t>(dims.nbDims)));
}

using Inputs = std::array<ConstTensorView, kMaxInputs>;

/// Views of the inputs, without memory: describe(i) gives the type and dimensions of input i.
template <typename Describe>
Inputs views_of(const PluginModel& model, const Describe& describe) {
  Inputs views;
  for (std::size_t i = 0; i < model.input_count(); ++i) {
    const TensorSpec& spec = model.schema().inputs()[i];
    const auto& [type, dims] = describe(i);
    const auto dtype = dtype_of(type);
    if (!dtype) {
      refuse(model, ", " + std::string(spec.name), "an element type it takes",
             "TensorRT's data type " + std::to_string(static_cast<int>(type)));
    }
    views[i] = {nullptr, *dtype, shape_of(model, dims)};
    if (views[i].shape.rank() == model.rule.input_ranks()[i]) continue;
    refuse(model, ", " + std::string(spec.name), std::string(spec.shape), views[i].shape.text());
  }
  return views;
}

using Description = std::pair<DataType, const nvinfer1::Dims&>;

Inputs views_of(const PluginModel& model, const nvinfer1::PluginTensorDesc* in) {
  return views_of(model, [in](std::size_t i) { return Description(in[i].type, in[i].dims); });
}

DType output_type(const PluginModel& model, std::size_t output, std::span<const DType> inputs) {
  const TypeGroup& group = model.schema().outputs()[output].group;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (model.schema().inputs()[i].group.name == group.name) return inputs[i];
  }
  return group.all().front();
}

/// Turns an operator's rule into TensorRT's expressions.
class Expressions {
 public:
  Expressions(const PluginModel& model, const nvinfer1::DimsExprs* inputs,
              nvinfer1::IExprBuilder& builder)
      : model_(model), inputs_(inputs), builder_(builder) {}

  void write(nvinfer1::DimsExprs* outputs) {
    const auto rules = model_.rule.outputs();
    for (std::size_t i = 0; i < rules.size(); ++i) {
      outputs[i].nbDims = static_cast<std::int32_t>(rules[i].size());
      for (std::size_t axis = 0; axis < rules[i].size(); ++axis) {
        outputs[i].d[axis] = dimension(rules[i][axis]);
      }
    }
    if (model_.schema().shapes_from_values) outputs[rules.size()].nbDims = 0;
  }

 private:
  const IDimensionExpr* dimension(const ShapeRule::Dimension& rule) {
    const IDimensionExpr* value = term(rule.first);
    for (const ShapeRule::Step& step : rule.steps) {
      value = operation(step.operation, value, term(step.term));
    }
    return value;
  }

  const IDimensionExpr* term(const ShapeRule::Term& term) {
    if (term.source == ShapeRule::Source::kConstant) return given(builder_.constant(term.value));
    if (term.source == ShapeRule::Source::kInput) {
      const IDimensionExpr* size = inputs_[term.input].d[term.axis];
      return term.value == 0 ? size : operation('+', size, given(builder_.constant(term.value)));
    }
    if (size_ == nullptr) {
      const IDimensionExpr* most = this->term(model_.rule.most());
      // Everything present is the usual case, and the one that time is needed for.
      const auto output = static_cast<std::int32_t>(model_.rule.outputs().size());
      size_ = given(builder_.declareSizeTensor(output, *most, *most));
    }
    return size_;
  }

  const IDimensionExpr* operation(char operation, const IDimensionExpr* a,
                                  const IDimensionExpr* b) {
    const DimensionOperation kind = operation == '+'   ? DimensionOperation::kSUM
                                    : operation == '-' ? DimensionOperation::kSUB
                                    : operation == '*' ? DimensionOperation::kPROD
                                                       : DimensionOperation::kFLOOR_DIV;
    return given(builder_.operation(kind, *a, *b));
  }

  const IDimensionExpr* given(const IDimensionExpr* expression) const {
    if (expression == nullptr) refuse(model_, ", shapes", "an expression of TensorRT's", "none");
    return expression;
  }

  const PluginModel& model_;
  const nvinfer1::DimsExprs* inputs_;
  nvinfer1::IExprBuilder& builder_;
  const IDimensionExpr* size_ = nullptr;  // one for all outputs that have it
};

}  // namespace

void set_logger_finder(nvinfer1::ILoggerFinder* finder) noexcept { logger_finder = finder; }

void log_error(const std::string& message) noexcept {
  nvinfer1::ILoggerFinder* finder = logger_finder;
  nvinfer1::ILogger* logger = finder == nullptr ? nullptr : finder->findLogger();
  if (logger != nullptr) {
    logger->log(nvinfer1::ILogger::Severity::kERROR, message.c_str());
  } else {
    std::fprintf(stderr, "plait: %s\n", message.c_str());
  }
}

nvinfer1::IPluginCapability* Plugin::getCapabilityInterface(
    nvinfer1::PluginCapabilityType type) noexcept {
  switch (type) {
    case nvinfer1::PluginCapabilityType::kCORE:
      return static_cast<nvinfer1::IPluginV3OneCore*>(this);
    case nvinfer1::PluginCapabilityType::kBUILD:
      return static_cast<nvinfer1::IPluginV3OneBuild*>(this);
    case nvinfer1::PluginCapabilityType::kRUNTIME:
      return static_cast<nvinfer1::IPluginV3OneRuntime*>(this);
  }
  return nullptr;
}

nvinfer1::IPluginV3* Plugin::clone() noexcept {
  return guarded(
      *model_, static_cast<nvinfer1::IPluginV3*>(nullptr),
      [&]() -> nvinfer1::IPluginV3* { return std::make_unique<Plugin>(model_).release(); });
}

const char* Plugin::getPluginVersion() const noexcept { return kPluginVersion; }

std::int32_t Plugin::configurePlugin(const nvinfer1::DynamicPluginTensorDesc* in,
                                     std::int32_t in_count,
                                     const nvinfer1::DynamicPluginTensorDesc*,
                                     std::int32_t out_count) noexcept {
  return guarded(*model_, std::int32_t{1}, [&] {
    check_counts(*model_, in_count, out_count);
    views_of(*model_,
             [in](std::size_t i) { return Description(in[i].desc.type, in[i].desc.dims); });
    return std::int32_t{0};
  });
}

std::int32_t Plugin::getOutputDataTypes(DataType* out, std::int32_t out_count, const DataType* in,
                                        std::int32_t in_count) const noexcept {
  return guarded(*model_, std::int32_t{1}, [&] {
    check_counts(*model_, in_count, out_count);
    std::array<DType, kMaxInputs> types{};
    for (std::size_t i = 0; i < model_->input_count(); ++i) {
      const TensorSpec& spec = model_->schema().inputs()[i];
      const auto dtype = dtype_of(in[i]);
      const auto allowed = spec.group.all();
      if (!dtype || std::find(allowed.begin(), allowed.end(), *dtype) == allowed.end()) {
        refuse(*model_, ", " + std::string(spec.name), "an element type it takes",
               "TensorRT's data type " + std::to_string(static_cast<int>(in[i])));
      }
      types[i] = *dtype;
    }
    const std::span<const DType> given(types.data(), model_->input_count());
    for (std::size_t i = 0; i < model_->schema().outputs().size(); ++i) {
      out[i] = type_of(output_type(*model_, i, given));
    }
    if (model_->schema().shapes_from_values) out[model_->output_count() - 1] = DataType::kINT32;
    return std::int32_t{0};
  });
}

std::int32_t Plugin::getOutputShapes(const nvinfer1::DimsExprs* in, std::int32_t in_count,
                                     const nvinfer1::DimsExprs*, std::int32_t,
                                     nvinfer1::DimsExprs* out, std::int32_t out_count,
                                     nvinfer1::IExprBuilder& builder) noexcept {
  return guarded(*model_, std::int32_t{1}, [&] {
    check_counts(*model_, in_count, out_count);
    for (std::size_t i = 0; i < model_->input_count(); ++i) {
      const TensorSpec& spec = model_->schema().inputs()[i];
      if (static_cast<std::size_t>(in[i].nbDims) == model_->rule.input_ranks()[i]) continue;
      refuse(*model_, ", " + std::string(spec.name), std::string(spec.shape),
             std::to_string(in[i].nbDims) + " dimensions");
    }
    Expressions(*model_, in, builder).write(out);
    return std::int32_t{0};
  });
}

bool Plugin::supportsFormatCombination(std::int32_t position,
                                       const nvinfer1::DynamicPluginTensorDesc* tensors,
                                       std::int32_t in_count, std::int32_t out_count) noexcept {
  return guarded(*model_, false, [&] {
    check_counts(*model_, in_count, out_count);
    const auto at = static_cast<std::size_t>(position);
    const std::size_t inputs = model_->input_count();
    const auto& desc = tensors[at].desc;
    if (desc.format != nvinfer1::TensorFormat::kLINEAR) return false;
    const auto dtype = dtype_of(desc.type);
    if (!dtype) return false;
    const Schema& schema = model_->schema();
    if (at >= inputs + schema.outputs().size()) return *dtype == DType::kInt32;
    const auto group_of = [&](std::size_t i) -> const TypeGroup& {
      return i < inputs ? schema.inputs()[i].group : schema.outputs()[i - inputs].group;
    };
    const auto allowed = group_of(at).all();
    if (std::find(allowed.begin(), allowed.end(), *dtype) == allowed.end()) return false;
    for (std::size_t i = 0; i < at; ++i) {
      if (group_of(i).name == group_of(at).name && tensors[i].desc.type != desc.type) return false;
    }
    return true;
  });
}

std::size_t Plugin::getWorkspaceSize(const nvinfer1::DynamicPluginTensorDesc* in,
                                     std::int32_t in_count,
                                     const nvinfer1::DynamicPluginTensorDesc*,
                                     std::int32_t out_count) const noexcept {
  // What no device has: TensorRT has no other way to be told of a failure here.
  return guarded(*model_, std::numeric_limits<std::size_t>::max(), [&] {
    check_counts(*model_, in_count, out_count);
    const Inputs views =
        views_of(*model_, [in](std::size_t i) { return Description(in[i].desc.type, in[i].max); });
    return model_->op->scratch_bytes({views.data(), model_->input_count()});
  });
}

std::int32_t Plugin::onShapeChange(const nvinfer1::PluginTensorDesc* in, std::int32_t in_count,
                                   const nvinfer1::PluginTensorDesc*,
                                   std::int32_t out_count) noexcept {
  return guarded(*model_, std::int32_t{1}, [&] {
    check_counts(*model_, in_count, out_count);
    const Inputs views = views_of(*model_, in);
    if (!model_->schema().shapes_from_values) {
      std::array<Shape, kMaxOutputs> shapes;
      model_->op->op().infer({views.data(), model_->input_count()},
                             {shapes.data(), model_->schema().outputs().size()});
    }
    return std::int32_t{0};
  });
}

std::int32_t Plugin::enqueue(const nvinfer1::PluginTensorDesc* in,
                             const nvinfer1::PluginTensorDesc*, const void* const* inputs,
                             void* const* outputs, void* workspace, cudaStream_t stream) noexcept {
  return guarded(*model_, std::int32_t{1}, [&] {
    const std::size_t in_count = model_->input_count();
    const std::size_t out_count = model_->schema().outputs().size();
    Inputs views = views_of(*model_, in);
    std::array<DType, kMaxInputs> types{};
    for (std::size_t i = 0; i < in_count; ++i) {
      views[i].data = inputs[i];
      types[i] = views[i].dtype;
    }
    const std::span<const ConstTensorView> given(views.data(), in_count);
    // Not from the descriptions of outputs: where sizes depend on values, they are unknown there.
    std::array<Shape, kMaxOutputs> shapes;
    model_->rule.largest(given, shapes);
    std::array<TensorView, kMaxOutputs> results;
    for (std::size_t i = 0; i < out_count; ++i) {
      results[i] = {outputs[i], output_type(*model_, i, {types.data(), in_count}), shapes[i]};
    }
    auto* size = model_->schema().shapes_from_values
                     ? static_cast<std::int32_t*>(outputs[out_count])
                     : nullptr;
    const std::size_t scratch = model_->op->scratch_bytes(given);
    run_on_cuda(*model_->op,
                {given, {results.data(), out_count}, {static_cast<std::byte*>(workspace), scratch}},
                stream, size);
    return std::int32_t{0};
  });
}

}  // namespace plait::ops
