// cuda_arrays.cpp: a C face that runs the CUDA operators on host arrays, for tests and gpu_check.
//
// Linked with libplait_cuda for a real device, or with the same sources under host emulation. Every
// function returns 0, or the kind of error (1 SampleError, 2 ConfigError, 3 any other) and its four
// parts, separated by 0x1F. Thread-safe on a device; under emulation one call at a time.
#include <cuda_runtime.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/cuda.hpp"
#include "plait/error.hpp"

namespace {

using namespace plait;
using namespace plait::ops;

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw BackendError(
      {.where = "CUDA", .expected = what, .got = cudaGetErrorString(error), .action = ""});
}

/// Device memory, filled with 0xFF: what a kernel does not write shows.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    check(cudaMalloc(&data_, bytes), "device memory");
    fill();
  }
  DeviceMemory(DeviceMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  DeviceMemory& operator=(DeviceMemory&&) = delete;
  ~DeviceMemory() { cudaFree(data_); }
  void fill() { check(cudaMemsetAsync(data_, 0xFF, bytes_, nullptr), "a fill"); }
  void* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "an event"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }
  void record() { check(cudaEventRecord(event_, nullptr), "a recorded event"); }
  float since(const Event& earlier) const {
    check(cudaEventSynchronize(event_), "work that ends well");
    float ms = 0.0F;
    check(cudaEventElapsedTime(&ms, earlier.event_, event_), "a time");
    return ms;
  }

 private:
  cudaEvent_t event_{};
};

/// More than any cache of a device, written between two timings.
constexpr std::size_t kFlushBytes = std::size_t{256} << 20;

template <typename Work>
void time(std::span<float> times_ms, const Work& work) {
  DeviceMemory flushed(times_ms.empty() ? 0 : kFlushBytes);
  Event begin;
  Event end;
  for (float& ms : times_ms) {
    flushed.fill();
    begin.record();
    work();
    end.record();
    ms = end.since(begin);
  }
}

}  // namespace

extern "C" {

struct PlaitArray {
  void* data;
  const char* dtype;  ///< NumPy's name
  const std::int64_t* dims;
  std::size_t rank;
};

struct PlaitAttribute {
  const char* name;
  const char* kind;  ///< "float", "int", "floats" or "word"
  float number;
  std::int64_t whole;
  const float* numbers;
  std::size_t count;
  const char* word;
};

struct PlaitCall {
  const char* name;
  const PlaitAttribute* attributes;
  std::size_t attribute_count;
  const PlaitArray* inputs;
  std::size_t input_count;
};

struct PlaitMessage {
  char text[1024];
};
}

namespace {

Shape shape_of(const PlaitArray& array) {
  return Shape(std::span<const std::int64_t>(array.dims, array.rank));
}

Attributes attributes_of(const PlaitCall& call) {
  Attributes attributes(*op_named(call.name).schema);
  for (const PlaitAttribute& given : std::span(call.attributes, call.attribute_count)) {
    const std::string kind = given.kind;
    if (kind == "float") attributes.set(given.name, given.number);
    if (kind == "int") attributes.set(given.name, given.whole);
    if (kind == "word") attributes.set(given.name, std::string(given.word));
    if (kind == "floats") {
      attributes.set(given.name, std::vector<float>(given.numbers, given.numbers + given.count));
    }
  }
  attributes.check();
  return attributes;
}

std::vector<ConstTensorView> inputs_of(const PlaitCall& call) {
  std::vector<ConstTensorView> views;
  for (const PlaitArray& array : std::span(call.inputs, call.input_count)) {
    views.emplace_back(array.data, dtype_named(array.dtype), shape_of(array));
  }
  return views;
}

template <typename Body>
int guarded(PlaitMessage* message, const Body& body) noexcept {
  const auto say = [&](const ErrorParts& parts, int kind) {
    std::snprintf(message->text, sizeof(message->text), "%s\x1f%s\x1f%s\x1f%s", parts.where.c_str(),
                  parts.expected.c_str(), parts.got.c_str(), parts.action.c_str());
    return kind;
  };
  try {
    body();
    return 0;
  } catch (const SampleError& error) {
    return say(error.parts(), 1);
  } catch (const ConfigError& error) {
    return say(error.parts(), 2);
  } catch (const Error& error) {
    return say(error.parts(), 3);
  } catch (const std::exception& error) {
    return say({.where = "CUDA", .expected = "no error", .got = error.what(), .action = ""}, 3);
  }
}

void run(const PlaitCall& call, std::span<const PlaitArray> outputs, std::span<float> times_ms) {
  const auto op = cuda_op_named(call.name).make(attributes_of(call));
  std::vector<ConstTensorView> inputs = inputs_of(call);
  std::vector<DeviceMemory> memory;
  for (ConstTensorView& input : inputs) {
    const void* host = input.data;
    memory.emplace_back(input.bytes());
    check(
        cudaMemcpyAsync(memory.back().data(), host, input.bytes(), cudaMemcpyHostToDevice, nullptr),
        "a copy to the device");
    input.data = memory.back().data();
  }
  std::vector<TensorView> views;
  for (const PlaitArray& output : outputs) {
    TensorView view{nullptr, dtype_named(output.dtype), shape_of(output)};
    memory.emplace_back(view.bytes());
    view.data = memory.back().data();
    views.push_back(view);
  }
  DeviceMemory scratch(op->scratch_bytes(inputs));
  const Arguments arguments{
      inputs, views, {static_cast<std::byte*>(scratch.data()), scratch.bytes()}};
  run_on_cuda(*op, arguments, nullptr);
  time(times_ms, [&] { run_on_cuda(*op, arguments, nullptr); });
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    check(cudaMemcpyAsync(outputs[i].data, views[i].data, views[i].bytes(), cudaMemcpyDeviceToHost,
                          nullptr),
          "a copy from the device");
  }
  check(cudaStreamSynchronize(nullptr), "work that ends well");
}

}  // namespace

extern "C" {

/// Names of all CUDA operators, a comma between two.
PLAIT_API const char* plait_cuda_operators() {
  static const std::string names = [] {
    std::string text;
    for (const CudaEntry& entry : cuda_registry()) {
      if (!text.empty()) text += ',';
      text += entry.schema->name;
    }
    return text;
  }();
  return names.c_str();
}

/// Shapes of a call's outputs: dims [outputs, 8], ranks [outputs]; at most 4 outputs.
PLAIT_API int plait_cuda_shapes(const PlaitCall* call, std::int64_t* dims, std::size_t* ranks,
                                PlaitMessage* message) {
  return guarded(message, [&] {
    const auto op = op_named(call->name).make(attributes_of(*call));
    const auto inputs = inputs_of(*call);
    if (inputs.size() != op->schema().inputs().size()) {
      throw SampleError({.where = "operator " + std::string(call->name),
                         .expected = std::to_string(op->schema().inputs().size()) + " inputs",
                         .got = std::to_string(inputs.size()),
                         .action = ""});
    }
    std::vector<Shape> shapes(op->schema().outputs().size());
    op->infer(inputs, shapes);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      ranks[i] = shapes[i].rank();
      std::copy(shapes[i].dims().begin(), shapes[i].dims().end(), dims + i * kMaxRank);
    }
  });
}

/// Runs a call once, and then once for each time wanted, with cold caches.
PLAIT_API int plait_cuda_run(const PlaitCall* call, const PlaitArray* outputs,
                             std::size_t output_count, float* times_ms, std::size_t time_count,
                             PlaitMessage* message) {
  return guarded(message, [&] {
    run(*call, std::span(outputs, output_count), std::span(times_ms, time_count));
  });
}

/// Times of a copy from device memory to device memory: bytes read and as many written.
PLAIT_API int plait_cuda_copy(std::size_t bytes, float* times_ms, std::size_t time_count,
                              PlaitMessage* message) {
  return guarded(message, [&] {
    const DeviceMemory from(bytes);
    const DeviceMemory to(bytes);
    time(std::span(times_ms, time_count), [&] {
      check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, nullptr),
            "a copy on the device");
    });
  });
}

/// The current device: its name, and compute capability as 10 * major + minor.
PLAIT_API int plait_cuda_device(char* name, std::size_t size, int* capability,
                                PlaitMessage* message) {
  return guarded(message, [&] {
    int device = 0;
    check(cudaGetDevice(&device), "a device");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "a device's properties");
    std::snprintf(name, size, "%s", properties.name);
    *capability = 10 * properties.major + properties.minor;
  });
}
}
