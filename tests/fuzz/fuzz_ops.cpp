// fuzz_ops.cpp: calls of every operator, right and wrong ones; vectors must refuse or answer as the
// plain loop does.
//
// Draws are those of tests/cpp/op_cases, then changed: attributes, shapes, element types, indices,
// numbers that are huge or not finite. Memory is as long as a tensor is, so that ASan sees a step
// beyond it.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "op_cases.hpp"
#include "plait/error.hpp"

namespace {

using plait::ConstTensorView;
using plait::DType;
using plait::Shape;
using plait::Tensor;
using plait::TensorView;
using plait::ops::Implementation;
using plait::testing::Choices;
using plait::testing::OpCall;
using plait::testing::OpCase;

/// Two of the input's bytes a choice, then numbers that follow from the last of them.
class ByteChoices final : public Choices {
 public:
  ByteChoices(const std::uint8_t* data, std::size_t size)
      : data_(data), left_(size), rest_(size == 0 ? 1U : data[size - 1] + 1U) {}
  std::uint32_t next() override {
    if (left_ < 2) return static_cast<std::uint32_t>(rest_() >> 8);
    const auto number = static_cast<std::uint32_t>(data_[0] | data_[1] << 8);
    data_ += 2;
    left_ -= 2;
    return number;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
  std::minstd_rand rest_;
};

/// How far two answers can be compared: what overflows or cancels depends on the order of sums.
enum class Compared : std::uint8_t {
  kAll,     ///< numbers by the tolerance, NaN where the other has it
  kFinite,  ///< likewise, but NaN and infinity are alike: 0 * infinity is one, 1e-9 * it the other
  kWhole    ///< whole numbers and shapes only
};

struct Changes {
  Compared compared = Compared::kAll;
  void only(Compared least) { compared = std::max(compared, least); }
};

bool is_float(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat16; }

constexpr double kMostElements = 1 << 16;
constexpr std::size_t kMostScratch = 1 << 22;

bool is_small(const Shape& shape) {
  double elements = 1.0;
  // Without elements a huge size still is a long loop.
  for (const std::int64_t dim : shape.dims()) {
    elements *= static_cast<double>(std::max<std::int64_t>(dim, 1));
  }
  return elements <= kMostElements;
}

float any_number(Choices& choices, Changes& changes) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (choices.whole(0, 9)) {
    case 0:
    case 1:
      return std::numeric_limits<float>::quiet_NaN();
    case 2:
      changes.only(Compared::kFinite);
      return choices.one_of({kInfinity, -kInfinity});
    case 3:
      changes.only(Compared::kWhole);
      return choices.one_of({std::numeric_limits<float>::max(), -3e38F, 1e20F, -65504.0F, 3e4F});
    case 4:
      return choices.one_of({-0.0F, 0.0F, 1e-40F, 6e-8F, -1e-30F});
    default:
      return static_cast<float>(choices.whole(-16, 32)) / 4.0F;
  }
}

std::int64_t any_index(Choices& choices) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (choices.whole(0, 1) == 0) return choices.whole(-2, 99);
  return choices.one_of({kLeast, kLeast + 1, std::int64_t{-1}, std::int64_t{1000},
                         std::int64_t{65536}, std::int64_t{1 << 20}, kMost - 1, kMost});
}

/// Throws ConfigError where the operator refuses them.
std::unique_ptr<plait::ops::Op> with_any_attributes(Choices& choices,
                                                    const plait::ops::OpEntry& entry) {
  Changes unused;
  plait::ops::Attributes attributes(*entry.schema);
  for (const plait::ops::AttributeSpec& spec : entry.schema->attributes()) {
    if (choices.whole(0, 7) == 0) continue;  // the default, or missing
    if (spec.kind == plait::ops::AttributeKind::kFloat) {
      attributes.set(spec.name, any_number(choices, unused));
    } else if (spec.kind == plait::ops::AttributeKind::kInt) {
      constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
      const std::int64_t huge = choices.one_of({kMost, -kMost, any_index(choices)});
      attributes.set(spec.name, choices.whole(0, 3) == 0 ? huge : choices.whole(0, 9));
    } else if (spec.kind == plait::ops::AttributeKind::kFloats) {
      std::vector<float> values(static_cast<std::size_t>(
          choices.whole(0, 7) == 0 ? choices.whole(0, 5) : std::int64_t{3}));
      const float common = any_number(choices, unused);
      const bool same = choices.whole(0, 1) == 0;
      for (float& value : values) value = same ? common : any_number(choices, unused);
      attributes.set(spec.name, values);
    } else {
      attributes.set(spec.name, std::string(choices.one_of({"sum", "mean", "max", "median", ""})));
    }
  }
  attributes.check();
  return entry.make(attributes);
}

Tensor any_tensor(Choices& choices, DType dtype, const Shape& shape) {
  Tensor tensor(dtype, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    if (is_float(dtype)) {
      plait::testing::write(tensor.view(), i, choices.real(-3.0F, 3.0F));
    } else if (dtype == DType::kInt32) {
      tensor.view().as_span<std::int32_t>()[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(choices.whole(-1, 8));
    }
  }
  return tensor;
}

/// One dimension, the rank or all of it another.
Shape any_shape(Choices& choices, const Shape& shape) {
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  const auto most = static_cast<std::int64_t>(dims.size()) - 1;
  const std::int64_t kind = choices.whole(0, 7);
  if (kind == 0 || dims.empty()) {
    dims.assign(static_cast<std::size_t>(choices.whole(0, 6)), 0);
    for (std::int64_t& dim : dims) dim = choices.size(4);
  } else if (kind == 1 && dims.size() < 7) {
    dims.insert(dims.begin() + choices.whole(0, most), 1);
  } else if (kind == 2) {
    dims.erase(dims.begin() + choices.whole(0, most));
  } else {
    std::int64_t& dim = dims[static_cast<std::size_t>(choices.whole(0, most))];
    // More than any index reaches, of a tensor of no elements.
    constexpr std::int64_t kHuge = std::int64_t{1} << 31;
    const bool none = std::find(dims.begin(), dims.end(), 0) != dims.end() && dim != 0 &&
                      *std::max_element(dims.begin(), dims.end()) < kHuge;
    dim = none && kind > 5
              ? choices.one_of({kHuge, 2 * kHuge})
              : choices.one_of({dim + 1, std::max<std::int64_t>(dim - 1, 0), std::int64_t{0}});
  }
  // What was of no elements may have got them.
  const bool some = std::find(dims.begin(), dims.end(), 0) == dims.end();
  return some && !is_small(Shape(dims)) ? shape : Shape(dims);
}

void change_input(Choices& choices, const OpCase& one, OpCall& call, Changes& changes) {
  const auto last = static_cast<std::int64_t>(call.inputs.size()) - 1;
  const auto index = static_cast<std::size_t>(choices.whole(0, last));
  Tensor& input = call.inputs[index];
  const std::int64_t kind = choices.whole(0, 7);
  if (kind == 0) {
    input = any_tensor(choices, input.dtype(), any_shape(choices, input.shape()));
  } else if (kind == 1) {
    const DType dtype = choices.one_of(
        {DType::kFloat32, DType::kFloat16, DType::kInt32, DType::kInt64, DType::kUInt8});
    input = any_tensor(choices, dtype, input.shape());
  } else if (const std::int64_t count = input.shape().elements(); count > 0) {
    const std::int64_t at = choices.whole(0, count - 1);
    if (is_float(input.dtype())) {
      const float number = any_number(choices, changes);
      plait::testing::write(input.view(), at, number);
      const auto& spread = one.poisoned;
      const bool spreads = std::find(spread.begin(), spread.end(), index) != spread.end();
      if (!std::isfinite(number) && !spreads) changes.only(Compared::kWhole);
    } else if (input.dtype() == DType::kInt32) {
      input.view().as_span<std::int32_t>()[static_cast<std::size_t>(at)] =
          static_cast<std::int32_t>(any_index(choices));
    }
  }
}

/// Memory of just so many bytes, filled with one of them.
class Memory {
 public:
  Memory(std::size_t bytes, std::size_t alignment, int fill)
      : alignment_(alignment), data_(::operator new (bytes, std::align_val_t{alignment})) {
    if (bytes > 0) std::memset(data_, fill, bytes);
  }
  ~Memory() { ::operator delete (data_, std::align_val_t{alignment_}); }
  Memory(Memory&& other) noexcept
      : alignment_(other.alignment_), data_(std::exchange(other.data_, nullptr)) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory& operator=(Memory&&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(data_); }

 private:
  std::size_t alignment_;
  void* data_;
};

/// So many threads as far as an operator can tell: what they share out is done backwards.
class Backwards final : public plait::ops::Parallel {
 public:
  explicit Backwards(int threads) : threads_(threads) {}
  int threads() const noexcept override { return threads_; }
  void run(std::size_t count, plait::detail::FunctionRef<void(std::size_t)> body) override {
    while (count > 0) body(--count);
  }

 private:
  int threads_;
};

struct Answer {
  std::vector<Memory> memory;
  std::vector<TensorView> outputs;
};

/// One implementation's answer; nothing where it refuses.
std::optional<Answer> answer(const OpCall& call, const std::vector<Shape>& shapes, DType floats,
                             Implementation implementation, int threads, std::size_t shift) {
  const bool scalar = implementation == Implementation::kScalar;
  std::vector<Memory> copies;
  std::vector<ConstTensorView> inputs;
  for (const Tensor& input : call.inputs) {
    // Of an element's alignment only, where shifted.
    const std::size_t skipped = shift * plait::size_of(input.dtype());
    const ConstTensorView view = input.view();
    const Memory& copy = copies.emplace_back(skipped + view.bytes(), 16, 0);
    if (view.bytes() > 0) std::memcpy(copy.data() + skipped, view.data, view.bytes());
    inputs.emplace_back(copy.data() + skipped, view.dtype, view.shape);
  }
  Answer result;
  const auto specs = call.op->schema().outputs();
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto types = specs[i].group.all();
    const DType dtype = types.size() > 1 ? floats : types.front();
    TensorView view{nullptr, dtype, shapes[i]};
    // What one or both leave unwritten differs.
    const Memory& memory = result.memory.emplace_back(shift * plait::size_of(dtype) + view.bytes(),
                                                      16, scalar ? 0x7B : 0x5A);
    view.data = memory.data() + shift * plait::size_of(dtype);
    result.outputs.push_back(view);
  }
  Backwards parallel(threads);
  const std::size_t bytes = call.op->scratch_bytes(inputs, threads);
  const Memory scratch(bytes, 64, 0xC3);
  try {
    plait::ops::run_checked(*call.op, {inputs, result.outputs, {scratch.data(), bytes}}, parallel,
                            implementation);
  } catch (const plait::SampleError& error) {
    if (error.parts().where.empty() || error.parts().expected.empty()) std::abort();
    return std::nullopt;
  }
  return result;
}

[[noreturn]] void disagree(const OpCase& one, const std::string& how) {
  std::fprintf(stderr, "%s: %s\n", std::string(one.name).c_str(), how.c_str());
  std::abort();
}

void compare_floats(const OpCase& one, const TensorView& got, const TensorView& expected,
                    Compared compared) {
  const ConstTensorView a(got.data, got.dtype, got.shape);
  const ConstTensorView b(expected.data, expected.dtype, expected.shape);
  const std::int64_t count = b.shape.elements();
  double scale = 1.0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double size = std::abs(double{plait::testing::read(b, i)});
    if (std::isfinite(size)) scale = std::max(scale, size);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = plait::testing::read(a, i);
    const float y = plait::testing::read(b, i);
    const bool both_not_finite = !std::isfinite(x) && !std::isfinite(y);
    if (both_not_finite && (compared == Compared::kFinite || x == y)) continue;
    if (std::isnan(x) && std::isnan(y)) continue;
    if (std::abs(double{x} - y) <= one.tolerance(b.dtype) * scale) continue;
    disagree(one, "[" + std::to_string(i) + "] is " + std::to_string(x) + ", the plain loop's " +
                      std::to_string(y));
  }
}

void compare(const OpCase& one, const Answer& got, const Answer& expected, Compared compared) {
  for (std::size_t i = 0; i < expected.outputs.size(); ++i) {
    const TensorView& a = got.outputs[i];
    const TensorView& b = expected.outputs[i];
    if (is_float(b.dtype)) {
      if (compared != Compared::kWhole) compare_floats(one, a, b, compared);
    } else if (b.bytes() > 0 && std::memcmp(a.data, b.data, b.bytes()) != 0) {
      disagree(one, "whole numbers of output " + std::to_string(i) + " differ");
    }
  }
}

/// Throws Error where the call is refused before it comes to an implementation.
void run(Choices& choices) {
  const auto cases = plait::testing::op_cases();
  const OpCase& one = cases[static_cast<std::size_t>(
      choices.whole(0, static_cast<std::int64_t>(cases.size()) - 1))];
  const DType floats = choices.one_of({DType::kFloat32, DType::kFloat16});
  const int threads = static_cast<int>(choices.whole(1, 4));
  const auto shift = static_cast<std::size_t>(choices.whole(0, 1));
  const bool any_attributes = choices.whole(0, 4) == 0;
  const std::int64_t changed_inputs = choices.whole(0, 4);
  OpCall call = one.draw(choices, floats);
  Changes changes;
  if (any_attributes) {
    call.op = with_any_attributes(choices, plait::ops::op_named(one.name));
    changes.only(Compared::kWhole);  // a gain or an epsilon may make anything of rounding
  }
  for (std::int64_t i = 0; i < changed_inputs; ++i) change_input(choices, one, call, changes);
  if (one.tolerance_float32 == 0.0) changes.compared = Compared::kAll;  // nothing is computed

  std::vector<Shape> shapes(call.op->schema().outputs().size());
  plait::ops::infer_checked(*call.op, call.views(), shapes);
  // A canvas may be huge that has no channels.
  if (!std::all_of(shapes.begin(), shapes.end(), is_small)) return;
  if (call.op->scratch_bytes(call.views(), threads) > kMostScratch) return;
  const DType group = call.inputs.front().dtype();
  const auto expected = answer(call, shapes, group, Implementation::kScalar, threads, shift);
  const auto got = answer(call, shapes, group, Implementation::kSimd, threads, shift);
  if (got.has_value() != expected.has_value()) {
    disagree(one, expected ? "only vectors refuse" : "only the plain loop refuses");
  }
  if (expected) compare(one, *got, *expected, changes.compared);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteChoices choices(data, size);
  try {
    run(choices);
  } catch (const plait::Error& error) {
    if (error.parts().where.empty() || error.parts().expected.empty()) std::abort();
  }
  return 0;
}
