// backend.cpp: sessions over mapped model files, with buffers bound once.
#include "backends/onnxruntime/backend.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "backends/onnxruntime/handle.hpp"
#include "backends/onnxruntime/library.hpp"
#include "backends/onnxruntime/providers.hpp"
#include "ops/adapters/onnxruntime.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

ONNXTensorElementDataType element_type(DType dtype) noexcept {
  switch (dtype) {
    case DType::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case DType::kFloat64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case DType::kFloat16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case DType::kInt8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case DType::kUInt8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case DType::kInt16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
    case DType::kUInt16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
    case DType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case DType::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case DType::kBool:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

/// A graph's session, and what every one of its bindings needs.
struct Session {
  std::shared_ptr<const OrtEnvironment> environment;
  OrtHandle<OrtSession> session;
  std::string where;

  const OrtLibrary& library() const noexcept { return environment->library(); }
  const OrtApi& api() const noexcept { return environment->library().api(); }
  void check(OrtStatus* status, const char* expected) const {
    if (status != nullptr) library().check(status, where, expected);
  }
};

class OrtBoundRun final : public BoundRun {
 public:
  OrtBoundRun(std::shared_ptr<Session> session, const GraphDescription& graph,
              std::span<const TensorView> inputs, std::span<const TensorView> outputs)
      : session_(std::move(session)), binding_(nullptr, session_->api().ReleaseIoBinding) {
    const OrtApi& api = session_->api();
    OrtIoBinding* raw = nullptr;
    session_->check(api.CreateIoBinding(session_->session.get(), &raw), "an I/O binding");
    binding_.reset(raw);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      session_->check(api.BindInput(raw, graph.inputs[i].name.c_str(), value_on(inputs[i])),
                      "a bound input");
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      session_->check(api.BindOutput(raw, graph.outputs[i].name.c_str(), value_on(outputs[i])),
                      "a bound output");
    }
  }

  void run() override {
    session_->check(
        session_->api().RunWithBinding(session_->session.get(), nullptr, binding_.get()),
        "the graph to run");
  }

 private:
  OrtValue* value_on(const TensorView& view) {
    const OrtApi& api = session_->api();
    OrtValue* raw = nullptr;
    session_->check(
        api.CreateTensorWithDataAsOrtValue(session_->environment->cpu_memory(), view.data,
                                           view.bytes(), view.shape.dims().data(),
                                           view.shape.rank(), element_type(view.dtype), &raw),
        "a tensor on the bound memory");
    values_.emplace_back(raw, api.ReleaseValue);
    return raw;
  }

  std::shared_ptr<Session> session_;
  std::vector<OrtHandle<OrtValue>> values_;
  OrtHandle<OrtIoBinding> binding_;
};

class OrtExecutable final : public Executable {
 public:
  OrtExecutable(std::shared_ptr<Session> session, GraphDescription graph)
      : session_(std::move(session)), graph_(std::move(graph)) {
    compare(graph_.inputs, true);
    compare(graph_.outputs, false);
  }

  std::unique_ptr<BoundRun> bind(std::span<const TensorView> inputs,
                                 std::span<const TensorView> outputs) override {
    return std::make_unique<OrtBoundRun>(session_, graph_, inputs, outputs);
  }

 private:
  /// The file's own inputs (or outputs) against what the manifest declares.
  void compare(const std::vector<TensorDescription>& declared, bool inputs) const {
    const OrtApi& api = session_->api();
    OrtSession* session = session_->session.get();
    std::size_t count = 0;
    session_->check(inputs ? api.SessionGetInputCount(session, &count)
                           : api.SessionGetOutputCount(session, &count),
                    "a count of inputs and outputs");
    const std::string what = inputs ? "input" : "output";
    if (count != declared.size()) {
      refuse(std::to_string(declared.size()) + " " + what + "s", std::to_string(count));
    }
    for (const TensorDescription& tensor : declared) {
      const std::optional<std::size_t> index = index_of(tensor.name, count, inputs);
      if (!index) refuse("an " + what + " named '" + tensor.name + "'", "none of that name");
      compare_type(tensor, *index, inputs);
    }
  }

  std::optional<std::size_t> index_of(const std::string& name, std::size_t count,
                                      bool inputs) const {
    const OrtApi& api = session_->api();
    OrtSession* session = session_->session.get();
    OrtAllocator* allocator = nullptr;
    session_->check(api.GetAllocatorWithDefaultOptions(&allocator), "an allocator");
    for (std::size_t i = 0; i < count; ++i) {
      char* raw = nullptr;
      session_->check(inputs ? api.SessionGetInputName(session, i, allocator, &raw)
                             : api.SessionGetOutputName(session, i, allocator, &raw),
                      "a name");
      const bool same = name == raw;
      session_->check(api.AllocatorFree(allocator, raw), "freed memory");
      if (same) return i;
    }
    return std::nullopt;
  }

  void compare_type(const TensorDescription& declared, std::size_t index, bool inputs) const {
    const OrtApi& api = session_->api();
    OrtSession* session = session_->session.get();
    OrtTypeInfo* raw = nullptr;
    session_->check(inputs ? api.SessionGetInputTypeInfo(session, index, &raw)
                           : api.SessionGetOutputTypeInfo(session, index, &raw),
                    "type information");
    const OrtHandle<OrtTypeInfo> info(raw, api.ReleaseTypeInfo);
    const OrtTensorTypeAndShapeInfo* tensor = nullptr;
    session_->check(api.CastTypeInfoToTensorInfo(raw, &tensor), "a tensor");
    if (tensor == nullptr) refuse("a tensor named '" + declared.name + "'", "another type");
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    session_->check(api.GetTensorElementType(tensor, &type), "an element type");
    if (type != element_type(declared.dtype)) {
      refuse("'" + declared.name + "' of " + std::string(name_of(declared.dtype)),
             "ONNX element type " + std::to_string(type));
    }
    std::size_t rank = 0;
    session_->check(api.GetDimensionsCount(tensor, &rank), "a rank");
    std::vector<std::int64_t> dims(rank);
    session_->check(api.GetDimensions(tensor, dims.data(), rank), "dimensions");
    bool fits = rank == declared.shape.size();
    for (std::size_t axis = 0; fits && axis < rank; ++axis) {
      fits = dims[axis] < 0 || declared.shape[axis] < 0 || dims[axis] == declared.shape[axis];
    }
    if (!fits) {
      refuse("'" + declared.name + "' of shape " + text_of(declared.shape), text_of(dims));
    }
  }

  static std::string text_of(const std::vector<std::int64_t>& dims) {
    return dims.size() <= kMaxRank ? Shape(dims).text() : std::to_string(dims.size()) + " axes";
  }

  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    throw BundleError({.where = session_->where,
                       .expected = expected + ", as the manifest declares",
                       .got = got,
                       .action = "Export the bundle again."});
  }

  std::shared_ptr<Session> session_;
  GraphDescription graph_;
};

class OrtBackend final : public Backend {
 public:
  OrtBackend(const LoadOptions& options, int threads)
      : environment_(
            OrtEnvironment::get(OrtLibrary::get(options.onnxruntime), threads, options.spin)),
        threads_(threads),
        spin_(options.spin),
        arena_(options.arena),
        provider_(provider_named(options.device)),
        description_("onnxruntime " + environment_->library().version() + ", " +
                     detail::name_of(provider_) + ", " + std::to_string(threads) +
                     (threads == 1 ? " thread" : " threads")) {
    require_provider(environment_->library(), provider_);
  }

  const std::string& description() const noexcept override { return description_; }

  std::unique_ptr<Executable> load(const GraphDescription& graph, const GraphFile& file) override {
    const std::string& where = file.where;
    const OrtLibrary& library = environment_->library();
    const OrtApi& api = library.api();
    OrtSessionOptions* raw_options = nullptr;
    library.check(api.CreateSessionOptions(&raw_options), where, "session options");
    const OrtHandle<OrtSessionOptions> options(raw_options, api.ReleaseSessionOptions);
    configure(*raw_options, file.target, where);
    append_provider(library, provider_, *raw_options, where);
    OrtSession* raw = nullptr;
    if (file.form == GraphForm::kFused) {
      library.check(ops::register_custom_ops(raw_options, api), where, "room for the operators");
      library.check(
          library.create_fused_session(environment_->env(), file.model, raw_options, &raw), where,
          "a graph that loads; where only its operators are the matter, load a portable precision");
    } else {
      library.check(api.CreateSessionFromArray(environment_->env(), file.model.data(),
                                               file.model.size(), raw_options, &raw),
                    where, "a graph that loads");
    }
    auto session = std::make_shared<Session>(
        Session{environment_, OrtHandle<OrtSession>(raw, api.ReleaseSession), where});
    return std::make_unique<OrtExecutable>(std::move(session), graph);
  }

 private:
  void configure(OrtSessionOptions& options, GraphTarget target, const std::string& where) const {
    const OrtLibrary& library = environment_->library();
    const OrtApi& api = library.api();
    const auto entry = [&](const char* key, const char* value) {
      library.check(api.AddSessionConfigEntry(&options, key, value), where, key);
    };
    // On the CPU a graph for engines is run to see what an engine will answer: as it is written.
    const bool as_written = target == GraphTarget::kTensorRT && provider_ == OrtProvider::kCpu;
    const auto level = as_written ? ORT_DISABLE_ALL : ORT_ENABLE_ALL;
    library.check(api.SetSessionGraphOptimizationLevel(&options, level), where,
                  "graph optimization");
    library.check(api.SetSessionExecutionMode(&options, ORT_SEQUENTIAL), where, "sequential runs");
    if (environment_->pool_fits(threads_, spin_)) {
      library.check(api.DisablePerSessionThreads(&options), where, "the shared pool");
    } else {
      library.check(api.SetIntraOpNumThreads(&options, threads_), where, "a thread count");
      library.check(api.SetInterOpNumThreads(&options, 1), where, "a thread count");
      entry("session.intra_op.allow_spinning", spin_ ? "1" : "0");
    }
    if (arena_) {
      entry("session.use_env_allocators", "1");
    } else {
      library.check(api.DisableCpuMemArena(&options), where, "memory without an arena");
    }
  }

  std::shared_ptr<const OrtEnvironment> environment_;
  int threads_;
  bool spin_;
  bool arena_;
  OrtProvider provider_;
  std::string description_;
};

}  // namespace

std::unique_ptr<Backend> make_onnxruntime_backend(const LoadOptions& options, int threads) {
  return std::make_unique<OrtBackend>(options, threads);
}

}  // namespace plait::detail
