// op.cpp: attributes by name, and the checks every operator's call passes through.
#include "ops/op.hpp"

#include <algorithm>

#include "base/thread_pool.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

std::string op_text(const Schema& schema) { return "operator " + std::string(schema.name); }

std::string types_text(const TypeGroup& group) {
  std::string text;
  for (const DType type : group.all()) {
    text += (text.empty() ? "" : " or ") + std::string(name_of(type));
  }
  return text;
}

/// What is known of the element types of a call, by group.
class Groups {
 public:
  explicit Groups(const Schema& schema) : schema_(schema) {}

  void check(const TensorSpec& spec, DType dtype) {
    const auto types = spec.group.all();
    if (std::find(types.begin(), types.end(), dtype) == types.end()) {
      fail(spec, types_text(spec.group), dtype);
    }
    for (const auto& [name, seen] : seen_) {
      if (name == spec.group.name && seen != dtype) {
        fail(spec, std::string(name_of(seen)) + ", as the other tensors of the call", dtype);
      }
    }
    if (count_ < seen_.size()) seen_[count_++] = {spec.group.name, dtype};
  }

 private:
  [[noreturn]] void fail(const TensorSpec& spec, std::string expected, DType got) const {
    throw SampleError({.where = op_text(schema_) + ", " + std::string(spec.name),
                       .expected = std::move(expected),
                       .got = std::string(name_of(got)),
                       .action = "Convert it first."});
  }

  const Schema& schema_;
  std::array<std::pair<char, DType>, kMaxInputs + kMaxOutputs> seen_{};
  std::size_t count_ = 0;
};

void check_count(const Schema& schema, const char* what, std::size_t expected, std::size_t got) {
  if (expected == got) return;
  throw SampleError({.where = op_text(schema),
                     .expected = std::to_string(expected) + " " + what,
                     .got = std::to_string(got),
                     .action = ""});
}

/// Number, element types, and memory in one piece.
void check_inputs(const Op& op, std::span<const ConstTensorView> inputs, Groups& groups) {
  const Schema& schema = op.schema();
  check_count(schema, "inputs", schema.inputs().size(), inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ConstTensorView& input = inputs[i];
    groups.check(schema.inputs()[i], input.dtype);
    const bool empty = input.shape.elements() == 0;
    if (!empty && (!input.contiguous() || input.data == nullptr)) {
      throw SampleError({.where = op_text(schema) + ", " + std::string(schema.inputs()[i].name),
                         .expected = "contiguous memory",
                         .got = input.data == nullptr ? "none" : "a strided view",
                         .action = "Copy it into one piece first."});
    }
  }
}

/// Numbers of tensors, element types, and inputs in one piece.
void check_tensors(const Op& op, const Arguments& arguments) {
  const Schema& schema = op.schema();
  check_count(schema, "outputs", schema.outputs().size(), arguments.outputs.size());
  Groups groups(schema);
  check_inputs(op, arguments.inputs, groups);
  for (std::size_t i = 0; i < arguments.outputs.size(); ++i) {
    groups.check(schema.outputs()[i], arguments.outputs[i].dtype);
  }
}

/// Outputs of the shapes that the inputs give.
void check_shapes(const Op& op, const Arguments& arguments) {
  const Schema& schema = op.schema();
  std::array<Shape, kMaxOutputs> inferred;
  op.infer(arguments.inputs, {inferred.data(), arguments.outputs.size()});
  for (std::size_t i = 0; i < arguments.outputs.size(); ++i) {
    const TensorView& output = arguments.outputs[i];
    if (output.shape == inferred[i] && (output.data != nullptr || output.shape.elements() == 0)) {
      continue;
    }
    throw SampleError({.where = op_text(schema) + ", " + std::string(schema.outputs()[i].name),
                       .expected = "memory of shape " + inferred[i].text(),
                       .got = output.data == nullptr ? "none" : output.shape.text(),
                       .action = ""});
  }
}

class PoolParallel final : public Parallel {
 public:
  explicit PoolParallel(detail::ThreadPool& pool) : pool_(pool) {}
  int threads() const noexcept override { return pool_.threads(); }
  void run(std::size_t count, detail::FunctionRef<void(std::size_t)> body) override {
    pool_.parallel_for(count, body);
  }

 private:
  detail::ThreadPool& pool_;
};

}  // namespace

Attributes::Attributes(const Schema& schema)
    : schema_(schema), values_(schema.attributes().size()) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    values_[i].number = schema.attributes()[i].number;
    values_[i].whole = schema.attributes()[i].whole;
    values_[i].word = schema.attributes()[i].word;
    values_[i].given = !schema.attributes()[i].required;
  }
}

std::size_t Attributes::index_of(std::string_view name, AttributeKind kind) const {
  std::string known;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const AttributeSpec& spec = schema_.attributes()[i];
    if (spec.name == name && spec.kind == kind) return i;
    known += (known.empty() ? "" : ", ") + std::string(spec.name);
  }
  throw ConfigError({.where = op_text(schema_),
                     .expected = known.empty() ? "no attributes" : "one of " + known,
                     .got = "'" + std::string(name) + "', or a value of another kind",
                     .action = ""});
}

void Attributes::set(std::string_view name, float value) {
  Value& entry = values_[index_of(name, AttributeKind::kFloat)];
  entry.number = value;
  entry.given = true;
}

void Attributes::set(std::string_view name, std::int64_t value) {
  Value& entry = values_[index_of(name, AttributeKind::kInt)];
  entry.whole = value;
  entry.given = true;
}

void Attributes::set(std::string_view name, std::vector<float> values) {
  Value& entry = values_[index_of(name, AttributeKind::kFloats)];
  entry.numbers = std::move(values);
  entry.given = true;
}

void Attributes::set(std::string_view name, std::string word) {
  Value& entry = values_[index_of(name, AttributeKind::kWord)];
  entry.word = std::move(word);
  entry.given = true;
}

float Attributes::number(std::string_view name) const {
  return values_[index_of(name, AttributeKind::kFloat)].number;
}

std::int64_t Attributes::whole(std::string_view name) const {
  return values_[index_of(name, AttributeKind::kInt)].whole;
}

std::span<const float> Attributes::numbers(std::string_view name) const {
  return values_[index_of(name, AttributeKind::kFloats)].numbers;
}

const std::string& Attributes::word(std::string_view name) const {
  return values_[index_of(name, AttributeKind::kWord)].word;
}

void Attributes::check() const {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].given) continue;
    throw ConfigError({.where = op_text(schema_),
                       .expected = "attribute '" + std::string(schema_.attributes()[i].name) + "'",
                       .got = "none",
                       .action = std::string(schema_.attributes()[i].doc)});
  }
}

void infer_checked(const Op& op, std::span<const ConstTensorView> inputs,
                   std::span<Shape> outputs) {
  check_count(op.schema(), "outputs", op.schema().outputs().size(), outputs.size());
  Groups groups(op.schema());
  check_inputs(op, inputs, groups);
  op.infer(inputs, outputs);
}

void check_arguments(const Op& op, const Arguments& arguments) {
  check_tensors(op, arguments);
  if (!op.schema().shapes_from_values) check_shapes(op, arguments);
}

void run_checked(const Op& op, const Arguments& arguments, Parallel& parallel,
                 Implementation implementation) {
  check_tensors(op, arguments);
  check_shapes(op, arguments);
  const std::size_t scratch = op.scratch_bytes(arguments.inputs, parallel.threads());
  if (arguments.scratch.size() < scratch) {
    throw ConfigError({.where = op_text(op.schema()),
                       .expected = std::to_string(scratch) + " bytes of scratch",
                       .got = std::to_string(arguments.scratch.size()),
                       .action = ""});
  }
  op.run(arguments, parallel, implementation);
}

void run_alone(const Op& op, std::span<const ConstTensorView> inputs,
               std::span<const TensorView> outputs, int threads, Implementation implementation) {
  detail::ThreadPool pool(threads > 0 ? threads : detail::available_cpus());
  PoolParallel parallel(pool);
  check_count(op.schema(), "inputs", op.schema().inputs().size(), inputs.size());
  const auto bytes = static_cast<std::int64_t>(op.scratch_bytes(inputs, pool.threads()));
  Tensor scratch(DType::kUInt8, Shape{bytes});
  run_checked(op, {inputs, outputs, std::as_writable_bytes(scratch.view().as_span<std::uint8_t>())},
              parallel, implementation);
}

const OpEntry& op_named(std::string_view name) {
  std::string known;
  for (const OpEntry& entry : registry()) {
    if (entry.schema->name == name) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.schema->name);
  }
  throw ConfigError({.where = "operators",
                     .expected = "one of " + known,
                     .got = "'" + std::string(name) + "'",
                     .action = ""});
}

}  // namespace plait::ops
