// engine.hpp: an engine of TensorRT's as an Executable: checked once, then bound and run.
#pragma once

#include <NvInferRuntime.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "backends/backend.hpp"
#include "backends/tensorrt/cuda_runtime.hpp"
#include "backends/tensorrt/host_locks.hpp"
#include "backends/tensorrt/library.hpp"

namespace plait::detail {

/// What the engines of one backend share. Immutable but for its locks; thread-safe.
struct EngineHost {
  EngineHost(const CudaRuntime& cuda_runtime, const TensorRtLibrary& tensorrt)
      : cuda(cuda_runtime),
        library(tensorrt),
        runtime(tensorrt.make_runtime()),
        locks(cuda_runtime) {}

  const CudaRuntime& cuda;
  const TensorRtLibrary& library;
  std::unique_ptr<nvinfer1::IRuntime> runtime;
  HostLocks locks;
};

/// Deserialises a plan, which is not needed afterwards, and compares its inputs and outputs with
/// the graph's description. Bindings of its batch, and of batches that it divides, run; a binding
/// has an execution context, a stream and buffers of its own, and its first run, whose outputs mean
/// nothing, is part of bind(). Throws BackendError, also where the plan is none or is of another
/// TensorRT or GPU.
std::unique_ptr<Executable> make_engine(std::shared_ptr<EngineHost> host,
                                        const GraphDescription& graph,
                                        std::span<const std::byte> plan, const std::string& where);

}  // namespace plait::detail
