// engine.cpp: deserialised engines, and bindings with a stream and a CUDA graph of their own.
#include "backends/tensorrt/engine.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "backends/tensorrt/cuda_buffer.hpp"
#include "backends/tensorrt/port.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

constexpr const char* kRebuild = "Build the engine again: `plait build`.";

bool same_type(DType dtype, nvinfer1::DataType type) noexcept {
  switch (dtype) {
    case DType::kFloat32:
      return type == nvinfer1::DataType::kFLOAT;
    case DType::kFloat16:
      return type == nvinfer1::DataType::kHALF;
    case DType::kInt8:
      return type == nvinfer1::DataType::kINT8;
    case DType::kUInt8:
      return type == nvinfer1::DataType::kUINT8;
    case DType::kInt32:
      return type == nvinfer1::DataType::kINT32;
    case DType::kInt64:
      return type == nvinfer1::DataType::kINT64;
    case DType::kBool:
      return type == nvinfer1::DataType::kBOOL;
    case DType::kFloat64:
    case DType::kInt16:
    case DType::kUInt16:
      return false;  // TensorRT has no such tensors
  }
  return false;
}

std::string text_of(const nvinfer1::Dims& dims) {
  std::string text = "[";
  for (std::int32_t i = 0; i < dims.nbDims; ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(dims.d[i]);
  }
  return text + "]";
}

/// The batches an engine takes.
struct BatchRange {
  std::int64_t least = 1;
  std::int64_t most = 1;

  /// The largest that divides so many samples; 0 where none does.
  std::int64_t dividing(std::int64_t samples) const noexcept {
    for (std::int64_t batch = std::min(most, samples); batch >= least; --batch) {
      if (samples % batch == 0) return batch;
    }
    return 0;
  }
};

/// An engine and what its bindings need of it. Bindings are made one at a time.
struct Engine {
  std::shared_ptr<EngineHost> host;
  std::unique_ptr<nvinfer1::ICudaEngine> engine;
  GraphDescription graph;
  BatchRange batches;
  std::string where;
  std::mutex binding;

  [[noreturn]] void refuse(const std::string& expected, const std::string& got,
                           const std::string& action) const {
    throw BackendError({.where = where, .expected = expected, .got = got, .action = action});
  }
  void require(bool done, const char* expected) const {
    if (!done) {
      refuse(expected,
             "from TensorRT " + host->library.version() + ": " + TensorRtLogger::take_error(),
             kRebuild);
    }
  }
};

class TensorRtBoundRun final : public BoundRun, private DeviceRun {
 public:
  TensorRtBoundRun(std::shared_ptr<Engine> engine, std::span<const TensorView> inputs,
                   std::span<const TensorView> outputs)
      : engine_(std::move(engine)), stream_(make_stream(engine_->host->cuda, engine_->where)) {
    const std::int64_t samples = inputs.front().shape[0];
    const std::int64_t batch = engine_->batches.dividing(samples);
    if (batch == 0) refuse_batch(samples);
    batches_ = static_cast<std::size_t>(samples / batch);
    context_.reset(engine_->engine->createExecutionContext());
    engine_->require(context_ != nullptr, "an execution context");
    add_ports(inputs, engine_->graph.inputs, inputs_);
    add_ports(outputs, engine_->graph.outputs, outputs_);
    describe_inputs(inputs, batch);
    set_addresses(0);
    // The first run after a change of shapes allocates and may wait, which no graph can hold.
    run_once();
    const auto queue_all = [this] { queue(Uploads::kAll); };
    graph_ = capture(engine_->host->cuda, stream_.get(), queue_all);
  }

  ~TensorRtBoundRun() override {
    (void)engine_->host->cuda.functions().stream_synchronize(stream_.get());
  }

  void run() override { run_once(); }

  DeviceRun* device_run() override {
    if (inputs_.size() != 1 || batches_ > 1) return nullptr;
    if (!prepared_graph_ && graph_) {
      const CudaDeviceGuard device(engine_->host->cuda, engine_->where);
      const auto queue_prepared = [this] { queue(Uploads::kNone); };
      prepared_graph_ = capture(engine_->host->cuda, stream_.get(), queue_prepared);
    }
    return this;
  }

 private:
  enum class Uploads { kAll, kNone };

  void* input() noexcept override { return inputs_.front().address(0); }

  std::unique_ptr<DeviceBuffer> make_buffer(std::size_t bytes) override {
    const CudaDeviceGuard device(engine_->host->cuda, engine_->where);
    return std::make_unique<CudaBuffer>(engine_->host->cuda, bytes, engine_->where);
  }

  void run_after(FunctionRef<void(CUstream_st* stream)> prepare) override {
    const CudaDeviceGuard device(engine_->host->cuda, engine_->where);
    const auto queue_both = [&] {
      prepare(stream_.get());
      queue_engine(prepared_graph_, Uploads::kNone);
    };
    finish(queue_both);
  }

  void run_once() {
    const CudaDeviceGuard device(engine_->host->cuda, engine_->where);
    for (const Port& port : inputs_) port.gather();
    const auto queue_all = [this] { queue_engine(graph_, Uploads::kAll); };
    finish(queue_all);
  }

  /// Queues, waits, and hands the outputs over.
  void finish(FunctionRef<void()> queue_work) {
    const CudaRuntime& cuda = engine_->host->cuda;
    try {
      queue_work();
    } catch (...) {
      // What was queued before works in the caller's memory.
      (void)cuda.functions().stream_synchronize(stream_.get());
      throw;
    }
    const CudaError error = cuda.functions().stream_synchronize(stream_.get());
    cuda.check(error, engine_->where, "the engine to run");
    for (const Port& port : outputs_) port.scatter();
  }

  void queue_engine(const CudaGraphExecOwner& graph, Uploads uploads) {
    if (!graph) return queue(uploads);
    const CudaRuntime& cuda = engine_->host->cuda;
    const CudaError error = cuda.functions().graph_launch(graph.get(), stream_.get());
    cuda.check(error, engine_->where, "the engine's CUDA graph to start");
  }

  [[noreturn]] void refuse_batch(std::int64_t samples) const {
    const std::string most = std::to_string(engine_->batches.most);
    engine_->refuse(
        "a batch of " + std::to_string(engine_->batches.least) + " to " + most +
            ", or a multiple of one, which this engine was built for",
        std::to_string(samples),
        "Build it for such batches: `plait build --batch 1,1," + std::to_string(samples) + "`.");
  }

  void add_ports(std::span<const TensorView> views, const std::vector<TensorDescription>& described,
                 std::vector<Port>& ports) {
    ports.reserve(views.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
      ports.emplace_back(engine_->host->cuda, engine_->host->locks, described[i].name.c_str(),
                         views[i], batches_, engine_->where);
    }
  }

  void describe_inputs(std::span<const TensorView> inputs, std::int64_t batch) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::span<const std::int64_t> shape = inputs[i].shape.dims();
      nvinfer1::Dims dims{};
      dims.nbDims = static_cast<std::int32_t>(shape.size());
      std::copy(shape.begin(), shape.end(), dims.d);
      dims.d[0] = batch;
      TensorRtLogger::forget();
      engine_->require(context_->setInputShape(inputs_[i].name(), dims),
                       "an input of such a shape");
    }
  }

  void set_addresses(std::size_t batch) {
    for (const std::vector<Port>* ports : {&inputs_, &outputs_}) {
      for (const Port& port : *ports) {
        engine_->require(context_->setTensorAddress(port.name(), port.address(batch)),
                         "memory for an input or output");
      }
    }
  }

  void queue(Uploads uploads) {
    const cudaStream_t stream = stream_.get();
    for (const Port& port : inputs_) {
      if (uploads == Uploads::kAll) port.queue_upload(stream, engine_->where);
    }
    TensorRtLogger::forget();
    for (std::size_t batch = 0; batch < batches_; ++batch) {
      if (batches_ > 1) set_addresses(batch);
      engine_->require(context_->enqueueV3(stream), "the engine to run");
    }
    for (const Port& port : outputs_) port.queue_download(stream, engine_->where);
  }

  std::shared_ptr<Engine> engine_;
  std::size_t batches_ = 1;
  CudaStreamOwner stream_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  CudaGraphExecOwner graph_;           // empty where the engine cannot be captured
  CudaGraphExecOwner prepared_graph_;  // without uploads; empty until it is asked for
};

class TensorRtExecutable final : public Executable {
 public:
  explicit TensorRtExecutable(std::shared_ptr<Engine> engine) noexcept
      : engine_(std::move(engine)) {}

  std::unique_ptr<BoundRun> bind(std::span<const TensorView> inputs,
                                 std::span<const TensorView> outputs) override {
    const std::lock_guard lock(engine_->binding);
    const CudaDeviceGuard device(engine_->host->cuda, engine_->where);
    return std::make_unique<TensorRtBoundRun>(engine_, inputs, outputs);
  }

 private:
  std::shared_ptr<Engine> engine_;
};

/// An engine's own inputs or outputs against what the manifest declares.
class Comparison {
 public:
  explicit Comparison(const Engine& engine) noexcept : engine_(engine) {}

  void compare(const std::vector<TensorDescription>& declared, nvinfer1::TensorIOMode mode) const {
    const nvinfer1::ICudaEngine& engine = *engine_.engine;
    const std::string what = mode == nvinfer1::TensorIOMode::kINPUT ? "input" : "output";
    std::size_t count = 0;
    for (std::int32_t i = 0; i < engine.getNbIOTensors(); ++i) {
      if (engine.getTensorIOMode(engine.getIOTensorName(i)) == mode) ++count;
    }
    if (count != declared.size()) {
      refuse(std::to_string(declared.size()) + " " + what + "s", std::to_string(count));
    }
    for (const TensorDescription& tensor : declared) {
      if (engine.getTensorIOMode(tensor.name.c_str()) != mode) {
        refuse("an " + what + " named '" + tensor.name + "'", "none of that name");
      }
      compare_tensor(tensor);
    }
  }

  /// The batches that every input takes in the first profile.
  BatchRange batches() const {
    BatchRange range{.least = 1, .most = INT64_MAX};
    for (const TensorDescription& input : engine_.graph.inputs) {
      const auto bound = [&](nvinfer1::OptProfileSelector which) {
        return engine_.engine->getProfileShape(input.name.c_str(), 0, which).d[0];
      };
      range.least = std::max(range.least, bound(nvinfer1::OptProfileSelector::kMIN));
      range.most = std::min(range.most, bound(nvinfer1::OptProfileSelector::kMAX));
    }
    if (range.least > range.most) {
      refuse("a batch that all inputs take", "profiles without a common one");
    }
    return range;
  }

 private:
  void compare_tensor(const TensorDescription& declared) const {
    const nvinfer1::ICudaEngine& engine = *engine_.engine;
    const char* name = declared.name.c_str();
    if (!same_type(declared.dtype, engine.getTensorDataType(name))) {
      refuse("'" + declared.name + "' of " + std::string(name_of(declared.dtype)),
             "TensorRT's data type " +
                 std::to_string(static_cast<int>(engine.getTensorDataType(name))));
    }
    const nvinfer1::Dims dims = engine.getTensorShape(name);
    bool fits = dims.nbDims >= 1 && static_cast<std::size_t>(dims.nbDims) == declared.shape.size();
    for (std::size_t axis = 0; fits && axis < declared.shape.size(); ++axis) {
      const bool open = axis == 0 && (dims.d[axis] < 0 || declared.shape[axis] < 0);
      fits = open || dims.d[axis] == declared.shape[axis];
    }
    if (!fits) {
      refuse("'" + declared.name + "' of shape " + Shape(declared.shape).text(), text_of(dims));
    }
    if (engine.getTensorFormat(name) != nvinfer1::TensorFormat::kLINEAR ||
        engine.getTensorLocation(name) != nvinfer1::TensorLocation::kDEVICE) {
      refuse("'" + declared.name + "' row by row in device memory", "another layout or place");
    }
  }

  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    engine_.refuse(expected + ", as the manifest declares", got, kRebuild);
  }

  const Engine& engine_;
};

}  // namespace

std::unique_ptr<Executable> make_engine(std::shared_ptr<EngineHost> host,
                                        const GraphDescription& graph,
                                        std::span<const std::byte> plan, const std::string& where) {
  const CudaDeviceGuard device(host->cuda, where);
  auto engine = std::make_shared<Engine>();
  engine->host = std::move(host);
  engine->graph = graph;
  engine->where = where;
  TensorRtLogger::forget();
  engine->engine.reset(engine->host->runtime->deserializeCudaEngine(plan.data(), plan.size()));
  engine->require(engine->engine != nullptr, "an engine that loads");
  const Comparison comparison(*engine);
  comparison.compare(graph.inputs, nvinfer1::TensorIOMode::kINPUT);
  comparison.compare(graph.outputs, nvinfer1::TensorIOMode::kOUTPUT);
  engine->batches = comparison.batches();
  return std::make_unique<TensorRtExecutable>(std::move(engine));
}

}  // namespace plait::detail
