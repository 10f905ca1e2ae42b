// adapters/onnxruntime.cpp: any Op as an OrtCustomOp: one for each element type it computes in.
#include "ops/adapters/onnxruntime.hpp"

#include <array>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.hpp"
#include "ops/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

ONNXTensorElementDataType element_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case DType::kFloat16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case DType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    default:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  }
}

/// Thrown through our own frames only: carries a status that the caller of the callback gets.
struct OrtFailure {
  OrtStatus* status;
};

void check(OrtStatus* status) {
  if (status != nullptr) throw OrtFailure{status};
}

/// Runs body; whatever it throws becomes a status, since no exception may enter ONNX Runtime.
template <typename Body>
OrtStatus* guarded(const OrtApi& api, const Body& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const OrtFailure& failure) {
    return failure.status;
  } catch (const Error& error) {
    return api.CreateStatus(ORT_INVALID_ARGUMENT, error.what());
  } catch (const std::exception& error) {
    return api.CreateStatus(ORT_FAIL, error.what());
  }
}

/// The threads of the session that calls.
class OrtParallel final : public Parallel {
 public:
  OrtParallel(const OrtApi& api, const OrtKernelContext* context) : api_(api), context_(context) {}

  /// ONNX Runtime does not tell how many threads a session has; it shares out what it is given.
  int threads() const noexcept override {
    static const int cpus = detail::available_cpus();
    return cpus;
  }
  void run(std::size_t count, detail::FunctionRef<void(std::size_t)> body) override {
    if (count <= 1) {
      for (std::size_t i = 0; i < count; ++i) body(i);
      return;
    }
    Loop loop{body, {}, {}};
    const auto call = [](void* data, std::size_t i) { static_cast<Loop*>(data)->step(i); };
    check(api_.KernelContext_ParallelFor(context_, call, count, 0, &loop));
    if (loop.error) std::rethrow_exception(loop.error);
  }

 private:
  /// No exception may pass through ONNX Runtime's frames: the first one waits here.
  struct Loop {
    detail::FunctionRef<void(std::size_t)> body;
    std::mutex mutex;
    std::exception_ptr error;

    void step(std::size_t i) noexcept {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  };

  const OrtApi& api_;
  const OrtKernelContext* context_;
};

/// Reads the attributes a node has. Reader offers float_of, int_of, floats_of and word_of, each
/// empty where the node does not say.
template <typename Reader>
Attributes read_attributes(const Schema& schema, const Reader& reader) {
  Attributes attributes(schema);
  for (const AttributeSpec& spec : schema.attributes()) {
    const std::string name(spec.name);
    switch (spec.kind) {
      case AttributeKind::kFloat:
        if (const auto value = reader.float_of(name)) attributes.set(name, *value);
        break;
      case AttributeKind::kInt:
        if (const auto value = reader.int_of(name)) attributes.set(name, *value);
        break;
      case AttributeKind::kFloats:
        if (auto value = reader.floats_of(name)) attributes.set(name, std::move(*value));
        break;
      case AttributeKind::kWord:
        if (auto value = reader.word_of(name)) attributes.set(name, std::move(*value));
        break;
    }
  }
  attributes.check();
  return attributes;
}

struct KernelReader {
  const OrtApi& api;
  const OrtKernelInfo* info;

  /// Whether a status is a success; a failure means that the node does not say.
  bool said(OrtStatus* status) const {
    if (status == nullptr) return true;
    api.ReleaseStatus(status);
    return false;
  }
  std::optional<float> float_of(const std::string& name) const {
    float value = 0.0F;
    if (!said(api.KernelInfoGetAttribute_float(info, name.c_str(), &value))) return std::nullopt;
    return value;
  }
  std::optional<std::int64_t> int_of(const std::string& name) const {
    std::int64_t value = 0;
    if (!said(api.KernelInfoGetAttribute_int64(info, name.c_str(), &value))) return std::nullopt;
    return value;
  }
  std::optional<std::vector<float>> floats_of(const std::string& name) const {
    std::size_t count = 0;
    if (!said(api.KernelInfoGetAttributeArray_float(info, name.c_str(), nullptr, &count))) {
      return std::nullopt;
    }
    std::vector<float> values(count);
    check(api.KernelInfoGetAttributeArray_float(info, name.c_str(), values.data(), &count));
    return values;
  }
  std::optional<std::string> word_of(const std::string& name) const {
    std::size_t size = 0;
    if (!said(api.KernelInfoGetAttribute_string(info, name.c_str(), nullptr, &size))) {
      return std::nullopt;
    }
    std::string word(size, '\0');
    check(api.KernelInfoGetAttribute_string(info, name.c_str(), word.data(), &size));
    word.resize(size > 0 ? size - 1 : 0);  // the size counts the terminator
    return word;
  }
};

/// One operator of one node of a session.
class Kernel {
 public:
  Kernel(const OrtApi& api, const OpEntry& entry, const OrtKernelInfo* info)
      : api_(api), op_(entry.make(read_attributes(*entry.schema, KernelReader{api, info}))) {
    check(api.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
  }
  ~Kernel() { api_.ReleaseMemoryInfo(memory_); }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  const OrtApi& api() const noexcept { return api_; }

  void compute(OrtKernelContext* context) const {
    const std::size_t input_count = op_->schema().inputs().size();
    const std::size_t output_count = op_->schema().outputs().size();
    std::array<ConstTensorView, kMaxInputs> inputs;
    for (std::size_t i = 0; i < input_count; ++i) inputs[i] = input(context, i);
    const std::span<const ConstTensorView> given(inputs.data(), input_count);
    std::array<Shape, kMaxOutputs> inferred;
    infer_checked(*op_, given, {inferred.data(), output_count});
    std::array<TensorView, kMaxOutputs> outputs;
    for (std::size_t i = 0; i < output_count; ++i) {
      OrtValue* value = nullptr;
      const auto dims = inferred[i].dims();
      check(api_.KernelContext_GetOutput(context, i, dims.data(), dims.size(), &value));
      check(api_.GetTensorMutableData(value, &outputs[i].data));
      outputs[i].dtype = dtype_of_output(i, given);
      outputs[i].shape = inferred[i];
    }
    OrtParallel parallel(api_, context);
    const Scratch scratch(*this, context, op_->scratch_bytes(given, parallel.threads()));
    run_checked(*op_, {given, {outputs.data(), output_count}, scratch.bytes()}, parallel,
                Implementation::kSimd);
  }

 private:
  /// Memory from the session's arena, for one call.
  class Scratch {
   public:
    Scratch(const Kernel& kernel, const OrtKernelContext* context, std::size_t bytes)
        : api_(kernel.api_), size_(bytes) {
      if (bytes == 0) return;
      OrtAllocator* allocator = nullptr;
      check(api_.KernelContext_GetAllocator(context, kernel.memory_, &allocator));
      allocator_ = {allocator, api_.ReleaseAllocator};
      check(api_.AllocatorAlloc(allocator, bytes, &data_));
    }
    ~Scratch() {
      if (data_ == nullptr) return;
      OrtStatus* status = api_.AllocatorFree(allocator_.get(), data_);
      if (status != nullptr) api_.ReleaseStatus(status);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::span<std::byte> bytes() const noexcept { return {static_cast<std::byte*>(data_), size_}; }

   private:
    const OrtApi& api_;
    // Released also where the allocation fails, when no destructor of Scratch runs.
    std::unique_ptr<OrtAllocator, decltype(OrtApi::ReleaseAllocator)> allocator_{nullptr, nullptr};
    void* data_ = nullptr;
    std::size_t size_ = 0;
  };

  ConstTensorView input(OrtKernelContext* context, std::size_t index) const {
    const OrtValue* value = nullptr;
    check(api_.KernelContext_GetInput(context, index, &value));
    OrtTensorTypeAndShapeInfo* info = nullptr;
    check(api_.GetTensorTypeAndShape(value, &info));
    const std::unique_ptr<OrtTensorTypeAndShapeInfo, decltype(api_.ReleaseTensorTypeAndShapeInfo)>
        owner(info, api_.ReleaseTensorTypeAndShapeInfo);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    std::size_t rank = 0;
    check(api_.GetTensorElementType(info, &type));
    check(api_.GetDimensionsCount(info, &rank));
    std::array<std::int64_t, kMaxRank> dims{};
    const TensorSpec& spec = op_->schema().inputs()[index];
    if (rank > kMaxRank) {
      throw SampleError(
          {.where = "operator " + std::string(op_->schema().name) + ", " + std::string(spec.name),
           .expected = "at most " + std::to_string(kMaxRank) + " dimensions",
           .got = std::to_string(rank),
           .action = ""});
    }
    check(api_.GetDimensions(info, dims.data(), rank));
    void* data = nullptr;
    // The C API has no const form; inputs are only read.
    check(api_.GetTensorMutableData(const_cast<OrtValue*>(value), &data));
    DType dtype = spec.group.all().front();
    for (const DType candidate : spec.group.all()) {
      if (element_type(candidate) == type) dtype = candidate;
    }
    return {data, dtype, Shape(std::span<const std::int64_t>(dims.data(), rank))};
  }

  /// That of the first input of the same group.
  DType dtype_of_output(std::size_t index, std::span<const ConstTensorView> inputs) const {
    const TypeGroup& group = op_->schema().outputs()[index].group;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (op_->schema().inputs()[i].group.name == group.name) return inputs[i].dtype;
    }
    return group.all().front();
  }

  const OrtApi& api_;
  std::unique_ptr<Op> op_;
  OrtMemoryInfo* memory_ = nullptr;
};

/// An operator at one element type of its group 'T'.
struct CustomOp : OrtCustomOp {
  const OpEntry* entry = nullptr;
  std::string name;
  DType type = DType::kFloat32;

  CustomOp(const OpEntry& described, DType element) : OrtCustomOp{}, entry(&described) {
    name = described.schema->name;
    type = element;
    version = kOrtApiLevel;
    GetName = [](const OrtCustomOp* op) { return self(op).name.c_str(); };
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
    GetInputTypeCount = [](const OrtCustomOp* op) { return self(op).schema().inputs().size(); };
    GetInputType = [](const OrtCustomOp* op, std::size_t i) {
      return self(op).type_of(self(op).schema().inputs()[i]);
    };
    GetOutputTypeCount = [](const OrtCustomOp* op) { return self(op).schema().outputs().size(); };
    GetOutputType = [](const OrtCustomOp* op, std::size_t i) {
      return self(op).type_of(self(op).schema().outputs()[i]);
    };
    GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_REQUIRED; };
    GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_REQUIRED; };
    GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return OrtMemTypeDefault; };
    GetStartVersion = [](const OrtCustomOp*) { return kDomainVersion; };
    GetEndVersion = [](const OrtCustomOp*) { return kDomainVersion; };
    CreateKernelV2 = [](const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info,
                        void** kernel) -> OrtStatusPtr {
      return guarded(
          *api, [&] { *kernel = std::make_unique<Kernel>(*api, *self(op).entry, info).release(); });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) -> OrtStatusPtr {
      const auto& mine = *static_cast<const Kernel*>(kernel);
      return guarded(mine.api(), [&] { mine.compute(context); });
    };
    KernelDestroy = [](void* kernel) {
      const std::unique_ptr<Kernel> owner(static_cast<Kernel*>(kernel));
    };
  }

  static const CustomOp& self(const OrtCustomOp* op) noexcept {
    return *static_cast<const CustomOp*>(op);
  }
  const Schema& schema() const noexcept { return *entry->schema; }
  ONNXTensorElementDataType type_of(const TensorSpec& spec) const {
    return element_type(spec.group.name == 'T' ? type : spec.group.all().front());
  }
};

/// All operators at all their types, and the domain that holds them. Never destroyed: sessions of
/// an application may outlive static objects.
class Domain {
 public:
  explicit Domain(const OrtApi& api) {
    check(api.CreateCustomOpDomain(kDomain, &domain_));
    for (const OpEntry& entry : registry()) {
      for (const DType type : types_of(*entry.schema)) {
        check(api.CustomOpDomain_Add(domain_, &ops_.emplace_back(entry, type)));
      }
    }
  }
  OrtCustomOpDomain* get() const noexcept { return domain_; }

 private:
  static std::span<const DType> types_of(const Schema& schema) {
    for (const TensorSpec& spec : schema.inputs()) {
      if (spec.group.name == 'T') return spec.group.all();
    }
    return kFloat32Only.all();
  }

  std::deque<CustomOp> ops_;  // ONNX Runtime keeps their addresses
  OrtCustomOpDomain* domain_ = nullptr;
};

}  // namespace

OrtStatus* register_custom_ops(OrtSessionOptions* options, const OrtApi& api) noexcept {
  return guarded(api, [&] {
    static const Domain& domain = *std::make_unique<Domain>(api).release();
    check(api.AddCustomOpDomain(options, domain.get()));
  });
}

}  // namespace plait::ops

/// The entry point by which ONNX Runtime loads this library as one of custom operators.
extern "C" __attribute__((visibility("default"))) OrtStatus* RegisterCustomOps(
    OrtSessionOptions* options, const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(plait::ops::kOrtApiLevel);
  if (api == nullptr) {
    return base->GetApi(1)->CreateStatus(ORT_NOT_IMPLEMENTED,
                                         "Plait's operators need ONNX Runtime 1.17 or newer.");
  }
  return plait::ops::register_custom_ops(options, *api);
}
