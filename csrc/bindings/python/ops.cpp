// ops.cpp: runs an operator by name on arrays; plait/ops.py makes functions of them.
#include "bindings/python/ops.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/python/arrays.hpp"
#include "ops/op.hpp"
#include "plait/error.hpp"

namespace plait::python {
namespace {

const char* kind_name(ops::AttributeKind kind) {
  switch (kind) {
    case ops::AttributeKind::kFloat:
      return "float";
    case ops::AttributeKind::kInt:
      return "int";
    case ops::AttributeKind::kFloats:
      return "floats";
    case ops::AttributeKind::kWord:
      return "word";
  }
  return "";
}

py::list tensors_of(std::span<const ops::TensorSpec> specs) {
  py::list list;
  for (const ops::TensorSpec& spec : specs) {
    py::list types;
    for (const DType type : spec.group.all()) types.append(std::string(name_of(type)));
    list.append(py::make_tuple(std::string(spec.name), types, std::string(spec.shape)));
  }
  return list;
}

/// [(name, doc, [(input, types, shape)], [(output, ...)], [(attribute, kind, default, doc)])]
py::list operators() {
  py::list list;
  for (const ops::OpEntry& entry : ops::registry()) {
    const ops::Schema& schema = *entry.schema;
    py::list attributes;
    for (const ops::AttributeSpec& spec : schema.attributes()) {
      py::object value = py::none();
      if (!spec.required && spec.kind == ops::AttributeKind::kFloat)
        value = py::float_(spec.number);
      if (!spec.required && spec.kind == ops::AttributeKind::kInt) value = py::int_(spec.whole);
      if (!spec.required && spec.kind == ops::AttributeKind::kWord) {
        value = py::str(std::string(spec.word));
      }
      attributes.append(py::make_tuple(std::string(spec.name), kind_name(spec.kind), value,
                                       std::string(spec.doc)));
    }
    list.append(py::make_tuple(std::string(schema.name), std::string(schema.doc),
                               tensors_of(schema.inputs()), tensors_of(schema.outputs()),
                               attributes));
  }
  return list;
}

ops::Attributes attributes_of(const ops::Schema& schema, const py::dict& given) {
  ops::Attributes attributes(schema);
  for (const auto& [key, value] : given) {
    const auto name = py::cast<std::string>(key);
    ops::AttributeKind kind = ops::AttributeKind::kFloat;
    for (const ops::AttributeSpec& spec : schema.attributes()) {
      if (spec.name == name) kind = spec.kind;
    }
    switch (kind) {
      case ops::AttributeKind::kFloat:
        attributes.set(name, py::cast<float>(value));
        break;
      case ops::AttributeKind::kInt:
        attributes.set(name, py::cast<std::int64_t>(value));
        break;
      case ops::AttributeKind::kFloats:
        attributes.set(name, py::cast<std::vector<float>>(value));
        break;
      case ops::AttributeKind::kWord:
        attributes.set(name, py::cast<std::string>(value));
        break;
    }
  }
  attributes.check();
  return attributes;
}

DType dtype_of(const ops::TensorSpec& output, const ops::Schema& schema,
               const std::vector<ConstTensorView>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (schema.inputs()[i].group.name == output.group.name) return inputs[i].dtype;
  }
  return output.group.all().front();
}

py::list run_operator(const std::string& name, const py::sequence& arrays,
                      const py::dict& attributes, const std::string& implementation, int threads) {
  const ops::OpEntry& entry = ops::op_named(name);
  const ops::Schema& schema = *entry.schema;
  const std::unique_ptr<ops::Op> op = entry.make(attributes_of(schema, attributes));
  std::vector<py::object> kept;
  std::vector<ConstTensorView> inputs;
  if (arrays.size() != schema.inputs().size()) {
    throw SampleError({.where = "operator " + name,
                       .expected = std::to_string(schema.inputs().size()) + " inputs",
                       .got = std::to_string(arrays.size()),
                       .action = ""});
  }
  for (const py::handle& array : arrays) {
    inputs.push_back(view_of(array, "of operator " + name, kept));
  }
  std::vector<Shape> inferred(schema.outputs().size());
  ops::infer_checked(*op, inputs, inferred);
  std::vector<OwnedArray> outputs;
  std::vector<TensorView> views;
  for (std::size_t i = 0; i < inferred.size(); ++i) {
    outputs.emplace_back(inferred[i], dtype_of(schema.outputs()[i], schema, inputs));
    views.push_back(outputs.back().view());
  }
  const bool scalar = implementation == "scalar";
  if (!scalar && implementation != "simd") {
    throw ConfigError({.where = "operator " + name,
                       .expected = "implementation 'simd' or 'scalar'",
                       .got = "'" + implementation + "'",
                       .action = ""});
  }
  {
    const py::gil_scoped_release release;
    ops::run_alone(*op, inputs, views, threads,
                   scalar ? ops::Implementation::kScalar : ops::Implementation::kSimd);
  }
  py::list results;
  for (const OwnedArray& output : outputs) results.append(output.array());
  return results;
}

}  // namespace

void register_operators(py::module_& module) {
  module.def("operators", &operators);
  module.def("run_operator", &run_operator, py::arg("name"), py::arg("inputs"),
             py::arg("attributes"), py::arg("implementation"), py::arg("threads"));
}

}  // namespace plait::python
