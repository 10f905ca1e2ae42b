// tensorrt_cases.cpp: makes graphs, the stub's plans of them, and references.
#include "tensorrt_cases.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/tensorrt/backend.hpp"
#include "backends/tensorrt/engine_cache.hpp"
#include "backends/tensorrt/engine_choice.hpp"
#include "plait/bundle.hpp"

namespace plait::testing {
namespace {

/// TensorRT's number of a type.
int type_number(DType dtype) {
  switch (dtype) {
    case DType::kInt64:
      return 8;
    case DType::kUInt8:
      return 5;
    default:
      return 0;
  }
}

Shape with_samples(const TensorDescription& tensor, std::int64_t samples) {
  std::vector<std::int64_t> dims = tensor.shape;
  dims.front() = samples;
  return Shape(dims);
}

double value_at(const Tensor& tensor, std::int64_t index) {
  const void* data = tensor.view().data;
  switch (tensor.dtype()) {
    case DType::kInt64:
      return static_cast<double>(static_cast<const std::int64_t*>(data)[index]);
    case DType::kUInt8:
      return static_cast<const std::uint8_t*>(data)[index];
    default:
      return static_cast<const float*>(data)[index];
  }
}

}  // namespace

void reset_stubs() {
  stub::CudaControl& cuda = *plait_stub_cuda();
  cuda.devices = 1;
  cuda.integrated = false;
  cuda.registers = true;
  cuda.failure = {};
  cuda.wrong_pointers = 0;
  cuda.unlocked_copies = 0;
  stub::TensorRtControl& tensorrt = *plait_stub_tensorrt();
  tensorrt.refuse_runtime = false;
  tensorrt.refuse_context = false;
  tensorrt.refuse_shape = false;
  tensorrt.enqueues_until_failure = -1;
  tensorrt.uncapturable = false;
  tensorrt.refuse_plugins = false;
  tensorrt.linear = true;
  tensorrt.wrong_addresses = 0;
}

std::shared_ptr<detail::EngineHost> stub_host(const StubDevice& device) {
  reset_stubs();
  plait_stub_cuda()->integrated = device.integrated;
  plait_stub_cuda()->registers = device.registers;
  plait_stub_tensorrt()->uncapturable = device.uncapturable;
  // Not those of the process: each test's device is another.
  struct Opened {
    detail::CudaRuntime cuda{PLAIT_STUB_CUDA};
    detail::TensorRtLibrary tensorrt{PLAIT_STUB_TENSORRT};
    detail::EngineHost host{cuda, tensorrt};
  };
  auto opened = std::make_shared<Opened>();
  return {opened, &opened->host};
}

LoadOptions stub_options(const std::filesystem::path& engines) {
  LoadOptions options;
  options.device = "tensorrt";
  options.threads = 1;
  options.tensorrt = PLAIT_STUB_TENSORRT;
  options.cudart = PLAIT_STUB_CUDA;
  options.tensorrt_plugins = PLAIT_STUB_PLUGINS;
  options.engine_cache = engines;
  return options;
}

std::string held_by_stubs() {
  const stub::CudaControl& cuda = *plait_stub_cuda();
  const stub::TensorRtControl& tensorrt = *plait_stub_tensorrt();
  const std::pair<const char*, int> counts[] = {{"device memories", cuda.memories},
                                                {"pinned memories", cuda.pinned},
                                                {"registered ranges", cuda.registered},
                                                {"streams", cuda.streams},
                                                {"graphs", cuda.graphs},
                                                {"runtimes", tensorrt.runtimes},
                                                {"engines", tensorrt.engines},
                                                {"contexts", tensorrt.contexts}};
  std::string held;
  for (const auto& [what, count] : counts) {
    if (count != 0) held.append(std::to_string(count)).append(" ").append(what).append(" ");
  }
  return held;
}

EngineCase engine_case(std::int64_t least, std::int64_t most) {
  EngineCase engine{.graph = {}, .scale = 0.375F, .least = least, .most = most};
  engine.graph.name = "stub";
  engine.graph.inputs = {{"picture", DType::kFloat32, {-1, 3, 97, 61}},
                         {"tokens", DType::kInt64, {-1, 7}},
                         {"mask", DType::kUInt8, {-1, 5, 1}}};
  engine.graph.outputs = {{"embedding", DType::kFloat32, {-1, 129}},
                          {"map", DType::kFloat32, {-1, 3, 11, 13}}};
  return engine;
}

std::string plan_of(const EngineCase& engine) {
  const bool dynamic = engine.most > engine.least;
  std::string plan = std::string(stub::kPlanMark) + "\nscale " + std::to_string(engine.scale) +
                     "\nbatches " + std::to_string(engine.least) + " " +
                     std::to_string(engine.most) + "\n";
  const auto add = [&](const char* kind, const TensorDescription& tensor) {
    plan.append(kind).append(" ").append(tensor.name);
    plan.append(" ").append(std::to_string(type_number(tensor.dtype)));
    for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      const std::int64_t batch = dynamic ? -1 : engine.most;
      plan.append(" ").append(std::to_string(axis == 0 ? batch : tensor.shape[axis]));
    }
    plan.append("\n");
  };
  for (const TensorDescription& tensor : engine.graph.inputs) add("input", tensor);
  for (const TensorDescription& tensor : engine.graph.outputs) add("output", tensor);
  return plan;
}

std::span<const std::byte> bytes_of(const std::string& plan) {
  return std::as_bytes(std::span(plan.data(), plan.size()));
}

void store_engines(const std::filesystem::path& bundle, const std::string& precision,
                   const LoadOptions& options, std::int64_t most, const KeyChange& change) {
  const Manifest manifest = Bundle::open(bundle).manifest();
  const VariantDescription& variant = *manifest.variant(precision);
  const detail::EngineCache cache(options.engine_cache, std::uint64_t{1} << 30U);
  for (const GraphDescription& graph : manifest.graphs) {
    detail::EngineKey key = detail::engine_platform(options, variant.form == GraphForm::kFused);
    key.graph_sha256 = manifest.members.at(variant.members.at(graph.name)).sha256;
    key.precision = precision;
    nlohmann::json profiles = nlohmann::json::parse(detail::single_profiles(graph));
    for (nlohmann::json& shapes : profiles) shapes[2][0] = most;
    key.profiles = profiles.dump();
    change(key);
    const EngineCase engine{.graph = graph, .scale = 0.5F, .least = 1, .most = most};
    (void)cache.store(key, bytes_of(plan_of(engine)), "{}");
  }
}

EngineMemory::EngineMemory(const EngineCase& engine, std::int64_t samples)
    : engine_(engine), samples_(samples) {
  for (const TensorDescription& tensor : engine.graph.inputs) {
    inputs.emplace_back(tensor.dtype, with_samples(tensor, samples));
  }
  for (const TensorDescription& tensor : engine.graph.outputs) {
    outputs.emplace_back(tensor.dtype, with_samples(tensor, samples));
  }
}

void EngineMemory::fill(std::mt19937& generator) {
  std::uniform_int_distribution<int> number(0, 200);
  std::normal_distribution<float> normal(0.0F, 2.0F);
  for (Tensor& input : inputs) {
    const TensorView view = input.view();
    if (view.dtype == DType::kInt64) {
      for (std::int64_t& value : view.as_span<std::int64_t>()) value = number(generator);
    } else if (view.dtype == DType::kUInt8) {
      for (std::uint8_t& value : view.as_span<std::uint8_t>()) {
        value = static_cast<std::uint8_t>(number(generator));
      }
    } else {
      for (float& value : view.as_span<float>()) value = normal(generator);
    }
  }
}

std::vector<std::vector<double>> EngineMemory::expected() const {
  std::vector<std::vector<double>> all;
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    const std::int64_t size = outputs[j].shape().elements() / samples_;
    std::vector<double>& values = all.emplace_back();
    for (std::int64_t b = 0; b < samples_; ++b) {
      for (std::int64_t i = 0; i < size; ++i) {
        double sum = 0.0;
        for (std::size_t k = 0; k < inputs.size(); ++k) {
          const std::int64_t length = inputs[k].shape().elements() / samples_;
          sum += static_cast<double>(k + 1) * value_at(inputs[k], b * length + i % length);
        }
        values.push_back(static_cast<double>(j) + static_cast<double>(engine_.scale) * sum);
      }
    }
  }
  return all;
}

double EngineMemory::error() const {
  double largest = 0.0;
  double difference = 0.0;
  const std::vector<std::vector<double>> wanted = expected();
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    for (std::size_t i = 0; i < wanted[j].size(); ++i) {
      const double got = value_at(outputs[j], static_cast<std::int64_t>(i));
      if (!std::isfinite(got)) return INFINITY;
      largest = std::max(largest, std::abs(wanted[j][i]));
      difference = std::max(difference, std::abs(wanted[j][i] - got));
    }
  }
  return difference / largest;
}

std::unique_ptr<detail::BoundRun> EngineMemory::bind(detail::Executable& executable) {
  std::vector<TensorView> from;
  std::vector<TensorView> to;
  for (Tensor& input : inputs) from.push_back(input.view());
  for (Tensor& output : outputs) to.push_back(output.view());
  return executable.bind(from, to);
}

}  // namespace plait::testing
