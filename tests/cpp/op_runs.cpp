// op_runs.cpp: outputs allocated, operators run, answers compared.
#include "op_runs.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "plait/error.hpp"

namespace plait::testing {

Outputs outputs_of(const ops::Op& op, std::span<const ConstTensorView> inputs) {
  const ops::Schema& schema = op.schema();
  std::vector<Shape> shapes(schema.outputs().size());
  ops::infer_checked(op, inputs, shapes);
  Outputs outputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const ops::TypeGroup& group = schema.outputs()[i].group;
    DType dtype = group.all().front();
    for (std::size_t k = inputs.size(); k-- > 0;) {
      if (schema.inputs()[k].group.name == group.name) dtype = inputs[k].dtype;
    }
    outputs.emplace_back(dtype, shapes[i]);
    // Whatever is not written shows.
    if (const auto view = outputs.back().view(); view.bytes() > 0) {
      std::memset(view.data, 0xA5, view.bytes());
    }
  }
  return outputs;
}

Outputs run(const ops::Op& op, std::span<const ConstTensorView> inputs, int threads,
            ops::Implementation implementation) {
  Outputs outputs = outputs_of(op, inputs);
  std::vector<TensorView> views;
  for (Tensor& output : outputs) views.push_back(output.view());
  ops::run_alone(op, inputs, views, threads, implementation);
  return outputs;
}

std::optional<Outputs> run_or_refuse(const ops::Op& op, std::span<const ConstTensorView> inputs,
                                     int threads, ops::Implementation implementation) {
  try {
    return run(op, inputs, threads, implementation);
  } catch (const SampleError& error) {
    if (error.parts().where.empty() || error.parts().expected.empty()) std::abort();
  }
  return std::nullopt;
}

std::vector<std::byte> bits_of(const Outputs& outputs) {
  std::vector<std::byte> bits;
  for (const Tensor& output : outputs) {
    const auto* data = static_cast<const std::byte*>(output.view().data);
    bits.insert(bits.end(), data, data + output.view().bytes());
  }
  return bits;
}

std::string difference(const Outputs& got, const Outputs& expected, double tolerance,
                       bool only_what_is_nan) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const ConstTensorView a = got[i].view();
    const ConstTensorView b = expected[i].view();
    const std::string where = "output " + std::to_string(i);
    if (!(a.shape == b.shape)) return where + " has shape " + a.shape.text();
    if (a.dtype == DType::kInt32) {
      if (a.bytes() == 0 || std::memcmp(a.data, b.data, a.bytes()) == 0) continue;
      return where + " differs in a whole number";
    }
    const std::int64_t count = b.shape.elements();
    double scale = 1.0;
    for (std::int64_t k = 0; k < count; ++k) {
      if (const float value = read(b, k); std::isfinite(value)) {
        scale = std::max(scale, std::abs(double{value}));
      }
    }
    for (std::int64_t k = 0; k < count; ++k) {
      const float x = read(a, k);
      const float y = read(b, k);
      const bool nan_alike = std::isnan(x) == std::isnan(y);
      const bool close = std::isnan(x) || x == y || std::abs(double{x} - y) <= tolerance * scale;
      if (nan_alike && (only_what_is_nan || close)) continue;
      return where + "[" + std::to_string(k) + "] is " + std::to_string(x) + ", expected " +
             std::to_string(y);
    }
  }
  return {};
}

}  // namespace plait::testing
