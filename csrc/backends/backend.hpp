// backend.hpp: what every inference backend offers: load a graph, bind buffers once, run often.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/function_ref.hpp"
#include "plait/manifest.hpp"
#include "plait/tensor.hpp"

struct CUstream_st;  // CUDA's own name of what a cudaStream_t points to

namespace plait::detail {

/// Memory of a device, and of the host what is copied there.
class DeviceBuffer {
 public:
  virtual ~DeviceBuffer() = default;
  /// Where the host writes, page-locked.
  virtual std::byte* host() noexcept = 0;
  /// Aligned to 256 bytes. On a device that works in the host's memory the same bytes as host().
  virtual std::byte* device() noexcept = 0;
  /// Queues a copy of the first bytes to the device on a stream. Throws BackendError.
  virtual void queue_upload(std::size_t bytes, CUstream_st* stream) = 0;
};

/// A bound run whose only input can be made on a CUDA device. Lives as long as its BoundRun, and is
/// used by one thread at a time as that is.
class DeviceRun {
 public:
  virtual ~DeviceRun() = default;
  /// The input in device memory, row by row as the bound one.
  virtual void* input() noexcept = 0;
  /// Throws BackendError.
  virtual std::unique_ptr<DeviceBuffer> make_buffer(std::size_t bytes) = 0;
  /// As BoundRun::run(), of an input that is made by what prepare queues on the stream; the bound
  /// one is not read. Whatever prepare throws is passed on, once the stream is idle.
  virtual void run_after(FunctionRef<void(CUstream_st* stream)> prepare) = 0;
};

/// A graph with one set of buffers bound to it. Not thread-safe; one per set of run buffers.
class BoundRun {
 public:
  virtual ~BoundRun() = default;
  /// Reads the bound inputs, writes the bound outputs. Blocks until done. Does not allocate on
  /// Plait's side. Throws BackendError.
  virtual void run() = 0;
  /// nullptr where the input is made on the host only. Belongs to this binding. May allocate when
  /// it is called first. Throws BackendError.
  virtual DeviceRun* device_run() { return nullptr; }
};

/// A loaded graph. Thread-safe: its bindings run concurrently.
class Executable {
 public:
  virtual ~Executable() = default;
  /// Binds caller-owned memory, in the order of the graph's description. The memory must outlive
  /// the binding, and the binding must not outlive the executable. Throws BackendError.
  virtual std::unique_ptr<BoundRun> bind(std::span<const TensorView> inputs,
                                         std::span<const TensorView> outputs) = 0;
};

/// A graph's file in a bundle, and what is known of it.
struct GraphFile {
  std::span<const std::byte> model;       ///< its bytes; not needed once it is loaded
  std::string sha256;                     ///< of the bytes, lower-case hex
  std::string precision;                  ///< the variant's name
  GraphForm form = GraphForm::kPortable;  ///< whether it may use Plait's own operators
  GraphTarget target = GraphTarget::kOnnxRuntime;
  std::string where;  ///< begins error messages
};

/// Loads graphs. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  /// "onnxruntime 1.32.0, cpu, 2 threads"
  virtual const std::string& description() const noexcept = 0;
  /// Throws BackendError, and BundleError when the file's inputs and outputs are not the declared.
  virtual std::unique_ptr<Executable> load(const GraphDescription& graph,
                                           const GraphFile& file) = 0;
};

}  // namespace plait::detail
