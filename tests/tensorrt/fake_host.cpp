// fake_host.cpp: expressions, saved fields, and the order in which TensorRT calls a plugin.
#include "fake_host.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include "ops/adapters/tensorrt.hpp"

namespace plait::testing {
namespace {

using nvinfer1::DataType;
using nvinfer1::DimensionOperation;
using nvinfer1::Dims;
using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::IDimensionExpr;
using nvinfer1::PluginTensorDesc;
using nvinfer1::TensorFormat;
using nvinfer1::TensorRTPhase;

/// A dimension that the builder may or may not know; the test knows all.
class Expression final : public IDimensionExpr, public nvinfer1::apiv::VDimensionExpr {
 public:
  Expression(std::int64_t value, bool constant, std::int32_t size_tensor = -1)
      : value_(value), constant_(constant), size_tensor_(size_tensor) {
    mImpl = this;
  }
  bool isConstant() const override { return constant_; }
  std::int64_t getConstantValue() const override {
    return constant_ ? value_ : std::numeric_limits<std::int64_t>::min();
  }
  bool isSizeTensor() const override { return size_tensor_ >= 0; }
  std::int64_t value() const { return value_; }
  std::int32_t size_tensor() const { return size_tensor_; }
  bool constant() const { return constant_; }

 private:
  std::int64_t value_;
  bool constant_;
  std::int32_t size_tensor_;
};

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

/// Memory of the emulated device.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) {
    if (cudaMalloc(&data_, bytes) != cudaSuccess) throw std::bad_alloc();
    cudaMemsetAsync(data_, 0xFF, bytes, nullptr);
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data_); }
  void* data() const noexcept { return data_; }

 private:
  void* data_ = nullptr;
};

std::size_t element_bytes(nvinfer1::PluginFieldType type) {
  switch (type) {
    case nvinfer1::PluginFieldType::kCHAR:
      return 1;
    case nvinfer1::PluginFieldType::kINT64:
      return 8;
    default:
      return 4;
  }
}

}  // namespace

FakeLog::FakeLog() { setLoggerFinder(this); }
FakeLog::~FakeLog() { setLoggerFinder(nullptr); }
void FakeLog::log(Severity, const char* message) noexcept { text_ += std::string(message) + "\n"; }
std::string FakeLog::take() { return std::exchange(text_, {}); }

struct FakeExpressions::Implementation final : nvinfer1::apiv::VExprBuilder {
  std::deque<Expression> made;

  const IDimensionExpr* constant(std::int64_t value) override {
    return &made.emplace_back(value, true);
  }
  const IDimensionExpr* operation(DimensionOperation kind, const IDimensionExpr& first,
                                  const IDimensionExpr& second) override {
    const std::int64_t a = value(first);
    const std::int64_t b = value(second);
    const bool constant = first.isConstant() && second.isConstant();
    switch (kind) {
      case DimensionOperation::kSUM:
        return &made.emplace_back(a + b, constant);
      case DimensionOperation::kSUB:
        return &made.emplace_back(a - b, constant);
      case DimensionOperation::kPROD:
        return &made.emplace_back(a * b, constant);
      case DimensionOperation::kFLOOR_DIV:
        return b == 0 ? nullptr : &made.emplace_back(floor_divided(a, b), constant);
      default:
        return nullptr;
    }
  }
  const IDimensionExpr* declareSizeTensor(std::int32_t output, const IDimensionExpr& best,
                                          const IDimensionExpr& upper) override {
    if (value(best) > value(upper)) return nullptr;
    return &made.emplace_back(value(upper), false, output);
  }
};

FakeExpressions::FakeExpressions() : implementation_(std::make_unique<Implementation>()) {
  mImpl = implementation_.get();
}
FakeExpressions::~FakeExpressions() = default;
const IDimensionExpr* FakeExpressions::dimension(std::int64_t value, bool constant) {
  return &implementation_->made.emplace_back(value, constant);
}
std::int64_t FakeExpressions::value(const IDimensionExpr& expression) {
  return static_cast<const Expression&>(expression).value();
}
std::int32_t FakeExpressions::size_tensor(const IDimensionExpr& expression) {
  return static_cast<const Expression&>(expression).size_tensor();
}

SavedFields::SavedFields(const nvinfer1::PluginFieldCollection& fields) {
  for (std::int32_t i = 0; i < fields.nbFields; ++i) {
    const nvinfer1::PluginField& field = fields.fields[i];
    const auto* bytes = static_cast<const std::byte*>(field.data);
    const std::size_t count = static_cast<std::size_t>(field.length) * element_bytes(field.type);
    const auto& kept = data_.emplace_back(bytes, bytes + count);
    fields_.emplace_back(names_.emplace_back(field.name).c_str(), kept.data(), field.type,
                         field.length);
  }
  collection_ = {static_cast<std::int32_t>(fields_.size()), fields_.data()};
}

std::map<std::pair<std::string, std::string>, nvinfer1::IPluginCreatorV3One*>
registry_of_plugins() {
  std::int32_t count = 0;
  nvinfer1::IPluginCreatorInterface* const* creators = getCreators(count);
  std::map<std::pair<std::string, std::string>, nvinfer1::IPluginCreatorV3One*> registry;
  for (nvinfer1::IPluginCreatorInterface* creator :
       std::span(creators, static_cast<std::size_t>(count))) {
    const nvinfer1::InterfaceInfo info = creator->getInterfaceInfo();
    if (std::string(info.kind) != "PLUGIN CREATOR_V3ONE") throw std::runtime_error(info.kind);
    auto* one = static_cast<nvinfer1::IPluginCreatorV3One*>(creator);
    const bool added =
        registry.emplace(std::pair(one->getPluginNamespace(), one->getPluginName()), one).second;
    if (!added) throw std::runtime_error("registered twice");
  }
  return registry;
}

DataType type_of(DType dtype) {
  return dtype == DType::kFloat16 ? DataType::kHALF
         : dtype == DType::kInt32 ? DataType::kINT32
                                  : DataType::kFLOAT;
}
DType dtype_of(DataType type) {
  return type == DataType::kHALF    ? DType::kFloat16
         : type == DataType::kINT32 ? DType::kInt32
                                    : DType::kFloat32;
}
Dims dims_of(const Shape& shape) {
  Dims dims{static_cast<std::int32_t>(shape.rank()), {}};
  std::copy(shape.dims().begin(), shape.dims().end(), dims.d);
  return dims;
}

/// What the builder found out and the engine keeps.
struct FakeHost::Built {
  std::vector<DataType> output_types;
  std::vector<Shape> largest;                           // of the outputs
  std::vector<std::vector<std::int32_t>> size_tensors;  // of each dimension, or -1
  std::size_t workspace_bytes = 0;
};

void FakeHost::require(bool good, const char* step) {
  const std::string said = log_.take();
  if (!good) throw std::runtime_error(std::string(step) + ": " + said);
  if (!said.empty()) throw std::runtime_error(std::string(step) + " said " + said);
}

PluginPointer FakeHost::create(const nvinfer1::PluginFieldCollection& fields, TensorRTPhase phase) {
  PluginPointer plugin(creator_.createPlugin("layer", &fields, phase));
  require(plugin != nullptr, "createPlugin");
  return plugin;
}

FakeHost::Built FakeHost::build(nvinfer1::IPluginV3& plugin,
                                std::span<const ConstTensorView> inputs, bool constant) {
  auto& phase = build_of(plugin);
  Built built;
  const auto in_count = static_cast<std::int32_t>(inputs.size());
  const std::int32_t out_count = phase.getNbOutputs();
  std::vector<DataType> in_types;
  for (const ConstTensorView& input : inputs) in_types.push_back(type_of(input.dtype));
  built.output_types.resize(static_cast<std::size_t>(out_count));
  require(phase.getOutputDataTypes(built.output_types.data(), out_count, in_types.data(),
                                   in_count) == 0,
          "getOutputDataTypes");

  FakeExpressions expressions;
  std::vector<nvinfer1::DimsExprs> in(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    in[i].nbDims = static_cast<std::int32_t>(inputs[i].shape.rank());
    for (std::size_t axis = 0; axis < inputs[i].shape.rank(); ++axis) {
      in[i].d[axis] = expressions.dimension(inputs[i].shape[axis], constant);
    }
  }
  std::vector<nvinfer1::DimsExprs> out(static_cast<std::size_t>(out_count));
  require(phase.getOutputShapes(in.data(), in_count, nullptr, 0, out.data(), out_count,
                                expressions) == 0,
          "getOutputShapes");
  for (const nvinfer1::DimsExprs& expression : out) {
    std::vector<std::int64_t> dims;
    std::vector<std::int32_t>& sizes = built.size_tensors.emplace_back();
    for (std::int32_t axis = 0; axis < expression.nbDims; ++axis) {
      dims.push_back(FakeExpressions::value(*expression.d[axis]));
      sizes.push_back(FakeExpressions::size_tensor(*expression.d[axis]));
    }
    built.largest.emplace_back(std::span<const std::int64_t>(dims));
  }

  // One tensor after another, as TensorRT asks: later ones may depend on earlier ones.
  std::vector<DynamicPluginTensorDesc> tensors;
  const auto describe = [&](DataType type, const Shape& shape) {
    const Dims largest = dims_of(shape);
    Dims known = largest;
    if (!constant) std::fill(known.d, known.d + known.nbDims, -1);
    tensors.push_back({{known, type, TensorFormat::kLINEAR, 1.0F}, largest, largest, largest});
  };
  for (const ConstTensorView& input : inputs) describe(type_of(input.dtype), input.shape);
  for (std::size_t i = 0; i < built.largest.size(); ++i) {
    describe(built.output_types[i], built.largest[i]);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    require(phase.supportsFormatCombination(static_cast<std::int32_t>(i), tensors.data(), in_count,
                                            out_count),
            "supportsFormatCombination");
  }
  const DynamicPluginTensorDesc* outputs = tensors.data() + inputs.size();
  require(phase.configurePlugin(tensors.data(), in_count, outputs, out_count) == 0,
          "configurePlugin");
  built.workspace_bytes = phase.getWorkspaceSize(tensors.data(), in_count, outputs, out_count);
  require(built.workspace_bytes < std::size_t{1} << 40, "getWorkspaceSize");
  require(phase.getNbTactics() == 0 && phase.getTimingCacheID() != nullptr, "tactics");
  return built;
}

std::vector<Tensor> FakeHost::run(nvinfer1::IPluginV3& plugin, const Built& built,
                                  std::span<const ConstTensorView> inputs) {
  auto& phase = runtime_of(plugin);
  std::vector<PluginTensorDesc> in;
  std::vector<PluginTensorDesc> out;
  std::deque<DeviceMemory> memory;
  std::vector<const void*> in_data;
  std::vector<void*> out_data;
  for (const ConstTensorView& input : inputs) {
    in.push_back({dims_of(input.shape), type_of(input.dtype), TensorFormat::kLINEAR, 1.0F});
    in_data.push_back(memory.emplace_back(input.bytes()).data());
    cudaMemcpyAsync(memory.back().data(), input.data, input.bytes(), cudaMemcpyHostToDevice,
                    nullptr);
  }
  for (std::size_t i = 0; i < built.largest.size(); ++i) {
    Dims dims = dims_of(built.largest[i]);
    for (std::int32_t axis = 0; axis < dims.nbDims; ++axis) {
      if (built.size_tensors[i][static_cast<std::size_t>(axis)] >= 0) dims.d[axis] = -1;
    }
    out.push_back({dims, built.output_types[i], TensorFormat::kLINEAR, 1.0F});
    const TensorView room{nullptr, dtype_of(built.output_types[i]), built.largest[i]};
    out_data.push_back(memory.emplace_back(room.bytes()).data());
  }
  const DeviceMemory workspace(built.workspace_bytes);
  require(phase.setTactic(0) == 0, "setTactic");
  require(phase.onShapeChange(in.data(), static_cast<std::int32_t>(in.size()), out.data(),
                              static_cast<std::int32_t>(out.size())) == 0,
          "onShapeChange");
  for (int times = 0; times < 2; ++times) {  // what a run leaves behind does not change the next
    require(phase.enqueue(in.data(), out.data(), in_data.data(), out_data.data(), workspace.data(),
                          nullptr) == 0,
            "enqueue");
  }
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < built.largest.size(); ++i) {
    std::vector<std::int64_t> dims(built.largest[i].dims().begin(), built.largest[i].dims().end());
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      const std::int32_t size = built.size_tensors[i][axis];
      if (size >= 0) {
        dims[axis] = *static_cast<const std::int32_t*>(out_data[static_cast<std::size_t>(size)]);
      }
    }
    Tensor& output = outputs.emplace_back(dtype_of(built.output_types[i]),
                                          Shape(std::span<const std::int64_t>(dims)));
    cudaMemcpyAsync(output.view().data, out_data[i], output.view().bytes(), cudaMemcpyDeviceToHost,
                    nullptr);
  }
  return outputs;
}

std::vector<Tensor> FakeHost::live(const nvinfer1::PluginFieldCollection& fields,
                                   std::span<const ConstTensorView> inputs, bool constant) {
  PluginPointer network = create(fields, TensorRTPhase::kBUILD);
  PluginPointer builder(network->clone());
  require(builder != nullptr, "clone");
  network.reset();
  const Built built = build(*builder, inputs, constant);
  const SavedFields plan(*runtime_of(*builder).getFieldsToSerialize());
  builder.reset();
  PluginPointer engine = create(*plan.collection(), TensorRTPhase::kRUNTIME);
  PluginPointer context(runtime_of(*engine).attachToContext(nullptr));
  require(context != nullptr, "attachToContext");
  engine.reset();
  return run(*context, built, inputs);
}

}  // namespace plait::testing
