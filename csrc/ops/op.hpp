// ops/op.hpp: one operator behind one interface, whatever runs it.
//
// An operator is a plain struct (see skeleton/op.hpp) with a schema, a constructor from attributes,
// a shape rule and its implementations. OpModel makes an Op of it; adapters know Op only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.hpp"
#include "ops/schema.hpp"
#include "plait/export.hpp"
#include "plait/tensor.hpp"

struct CUstream_st;  // CUDA's own name of what a cudaStream_t points to

namespace plait::ops {

/// CUDA's cudaStream_t, for descriptions that are read where there is no CUDA.
using CudaStream = CUstream_st*;

/// Where an operator takes its threads from: our pool, or that of whoever calls it.
class Parallel {
 public:
  virtual ~Parallel() = default;
  virtual int threads() const noexcept = 0;
  /// body(i) once for each i in [0, count), in any order, on any thread; returns when all are done.
  virtual void run(std::size_t count, detail::FunctionRef<void(std::size_t)> body) = 0;
};

/// Runs everything on the calling thread.
class Sequential final : public Parallel {
 public:
  int threads() const noexcept override { return 1; }
  void run(std::size_t count, detail::FunctionRef<void(std::size_t)> body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
};

/// The tensors of one call, checked against the schema: contiguous, of the shapes infer() gave.
/// Inputs are never written. Operators allocate nothing.
struct Arguments {
  std::span<const ConstTensorView> inputs;
  std::span<const TensorView> outputs;
  std::span<std::byte> scratch{};  ///< at least scratch_bytes(), aligned to 64; contents undefined

  template <typename T>
  std::span<const T> input(std::size_t index) const noexcept {
    const ConstTensorView& view = inputs[index];
    return {static_cast<const T*>(view.data), static_cast<std::size_t>(view.shape.elements())};
  }
  template <typename T>
  std::span<T> output(std::size_t index) const noexcept {
    return outputs[index].as_span<T>();
  }
  const Shape& shape(std::size_t index) const noexcept { return inputs[index].shape; }
};

/// Values of a call's attributes, complete: what was not given has the schema's default.
class PLAIT_API Attributes {
 public:
  explicit Attributes(const Schema& schema);

  /// Each throws ConfigError for a name that the schema lacks or that is of another kind.
  void set(std::string_view name, float value);
  void set(std::string_view name, std::int64_t value);
  void set(std::string_view name, std::vector<float> values);
  void set(std::string_view name, std::string word);

  float number(std::string_view name) const;
  std::int64_t whole(std::string_view name) const;
  std::span<const float> numbers(std::string_view name) const;
  const std::string& word(std::string_view name) const;

  /// Throws ConfigError where a required one was not set.
  void check() const;

 private:
  struct Value {
    float number = 0.0F;
    std::int64_t whole = 0;
    std::vector<float> numbers;
    std::string word;
    bool given = false;
  };
  std::size_t index_of(std::string_view name, AttributeKind kind) const;

  const Schema& schema_;
  std::vector<Value> values_;
};

enum class Implementation : std::uint8_t {
  kScalar,  ///< the specification: plain loops on one thread
  kSimd     ///< the fastest on this machine
};

/// An operator with its attributes. Immutable; every method is thread-safe.
class PLAIT_API Op {
 public:
  virtual ~Op() = default;
  virtual const Schema& schema() const noexcept = 0;
  /// Shapes of the outputs. Throws SampleError for inputs that do not go together. Reads values
  /// only where the schema says that shapes depend on them.
  virtual void infer(std::span<const ConstTensorView> inputs, std::span<Shape> outputs) const = 0;
  /// Working memory that run() needs for such inputs and so many threads.
  virtual std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const = 0;
  /// Throws SampleError for values that make no sense (an index out of range).
  virtual void run(const Arguments& arguments, Parallel& parallel,
                   Implementation implementation) const = 0;
};

/// Checks the inputs' number, element types and contiguity, which infer() relies on where it reads
/// values, and infers. Throws SampleError.
PLAIT_API void infer_checked(const Op& op, std::span<const ConstTensorView> inputs,
                             std::span<Shape> outputs);

/// Checks element types, contiguity and, where they do not depend on values, the outputs' shapes:
/// all that can be said of a call without reading its tensors. Throws SampleError.
PLAIT_API void check_arguments(const Op& op, const Arguments& arguments);

/// Checks all that run() relies on, compares the outputs given with what infer() says, and runs.
/// Throws SampleError.
PLAIT_API void run_checked(const Op& op, const Arguments& arguments, Parallel& parallel,
                           Implementation implementation);

/// run_checked on a pool and scratch of its own, made for this call: for tests and for callers
/// outside a graph. threads >= 1; 0: every CPU this process may use.
PLAIT_API void run_alone(const Op& op, std::span<const ConstTensorView> inputs,
                         std::span<const TensorView> outputs, int threads,
                         Implementation implementation);

/// A plain operator struct as an Op. T::infer takes shapes, or, where the outputs' shapes depend on
/// values (T::kSchema says so), tensors.
template <typename T>
class OpModel final : public Op {
 public:
  explicit OpModel(const Attributes& attributes) : op_(attributes) {}
  const Schema& schema() const noexcept override { return T::kSchema; }
  const T& model() const noexcept { return op_; }
  void infer(std::span<const ConstTensorView> inputs, std::span<Shape> outputs) const override {
    if constexpr (T::kSchema.shapes_from_values) {
      op_.infer(inputs, outputs);
    } else {
      std::array<Shape, kMaxInputs> shapes;
      for (std::size_t i = 0; i < inputs.size(); ++i) shapes[i] = inputs[i].shape;
      op_.infer(std::span<const Shape>(shapes.data(), inputs.size()), outputs);
    }
  }
  std::size_t scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const override {
    return op_.scratch_bytes(inputs, threads);
  }
  void run(const Arguments& arguments, Parallel& parallel,
           Implementation implementation) const override {
    if (implementation == Implementation::kScalar) {
      op_.run_scalar(arguments);
    } else {
      op_.run_simd(arguments, parallel);
    }
  }

 private:
  T op_;
};

/// One line of the registry.
struct OpEntry {
  const Schema* schema = nullptr;
  std::unique_ptr<Op> (*make)(const Attributes& attributes) = nullptr;
};

/// All operators, in the registry's order.
PLAIT_API std::span<const OpEntry> registry() noexcept;
/// Throws ConfigError for a name that no operator has.
PLAIT_API const OpEntry& op_named(std::string_view name);

}  // namespace plait::ops
