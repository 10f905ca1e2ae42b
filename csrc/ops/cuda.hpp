// ops/cuda.hpp: the operators on CUDA devices: what libplait_cuda offers beside the core.
//
// Everything here is host code that needs no CUDA header. A call only queues work on the caller's
// stream: it allocates nothing, waits for nothing, and its tensors and scratch are device memory of
// the caller's, which has to live until the stream has come past the call.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "ops/op.hpp"

namespace plait::ops {

/// An operator with its attributes, on a device. Immutable; every method is thread-safe.
class PLAIT_API CudaOp {
 public:
  virtual ~CudaOp() = default;
  /// The same operator on the host: its schema and shape rule.
  virtual const Op& op() const noexcept = 0;
  /// Device memory that run() needs for inputs of such shapes and types. Reads no values.
  virtual std::size_t scratch_bytes(std::span<const ConstTensorView> inputs) const = 0;
  /// Queues the work on the stream of the current device. Values that make no sense (an index out
  /// of range) cannot be refused here: what they point to is left out, as each operator says.
  /// Throws BackendError where CUDA refuses the launch.
  virtual void run(const Arguments& arguments, CudaStream stream) const = 0;
  /// Of operators whose outputs' size depends on values: finds the size on the device, writes it to
  /// *size there, and fills outputs that have room for the largest size as if they had that one.
  /// Of all others: run().
  virtual void run_sized(const Arguments& arguments, std::int32_t* size,
                         CudaStream stream) const = 0;
};

/// check_arguments, scratch large enough and aligned to 256 bytes as CUDA allocates it, then run().
/// Throws SampleError, ConfigError or BackendError.
/// size: as run_sized says, of operators whose shapes depend on values and whose caller does not
/// know them; nullptr: the outputs have the shapes that the values give.
PLAIT_API void run_on_cuda(const CudaOp& op, const Arguments& arguments, CudaStream stream,
                           std::int32_t* size = nullptr);

/// A plain operator struct as a CudaOp: what T::run_cuda computes, with T::cuda_scratch_bytes of
/// scratch where T has that.
template <typename T>
class CudaModel final : public CudaOp {
 public:
  explicit CudaModel(const Attributes& attributes) : op_(attributes) {}
  const Op& op() const noexcept override { return op_; }
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs) const override {
    if constexpr (requires { op_.model().cuda_scratch_bytes(inputs); }) {
      return op_.model().cuda_scratch_bytes(inputs);
    } else {
      return 0;
    }
  }
  void run(const Arguments& arguments, CudaStream stream) const override {
    op_.model().run_cuda(arguments, stream);
  }
  void run_sized(const Arguments& arguments, std::int32_t* size, CudaStream stream) const override {
    if constexpr (T::kSchema.shapes_from_values) {
      op_.model().run_cuda_sized(arguments, size, stream);
    } else {
      (void)size;
      op_.model().run_cuda(arguments, stream);
    }
  }

 private:
  OpModel<T> op_;
};

/// One line of the registry.
struct CudaEntry {
  const Schema* schema = nullptr;
  std::unique_ptr<CudaOp> (*make)(const Attributes& attributes) = nullptr;
};

/// All operators with a CUDA implementation, in the order of registry().
PLAIT_API std::span<const CudaEntry> cuda_registry() noexcept;
/// Throws ConfigError for a name that no operator has.
PLAIT_API const CudaEntry& cuda_op_named(std::string_view name);

}  // namespace plait::ops
