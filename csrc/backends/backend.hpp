// backend.hpp: what every inference backend offers: load a graph, bind buffers once, run often.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "plait/manifest.hpp"
#include "plait/tensor.hpp"

namespace plait::detail {

/// A graph with one set of buffers bound to it. Not thread-safe; one per set of run buffers.
class BoundRun {
 public:
  virtual ~BoundRun() = default;
  /// Reads the bound inputs, writes the bound outputs. Blocks until done. Does not allocate on
  /// Plait's side. Throws BackendError.
  virtual void run() = 0;
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
