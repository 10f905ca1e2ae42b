// module.cpp: the Python extension plait._core: few classes cross the waist, no logic lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <string>
#include <vector>

#include "bindings/python/arrays.hpp"
#include "bindings/python/engines.hpp"
#include "bindings/python/errors.hpp"
#include "bindings/python/frames.hpp"
#include "bindings/python/generation.hpp"
#include "bindings/python/ops.hpp"
#include "bindings/python/platform.hpp"
#include "bindings/python/samples.hpp"
#include "bindings/python/sounds.hpp"
#include "bindings/python/texts.hpp"
#include "plait/plait.hpp"

namespace plait::python {
namespace {

class PyResult {
 public:
  explicit PyResult(Result result) : result_(std::move(result)) {}
  Result& get() { return result_; }
  const Result& get() const { return result_; }

 private:
  Result result_;
};

/// (output, scores, best, label, metric, value) of one head; None where there is no answer.
py::object answer_of(const py::object& self, const std::string& head) {
  const HeadAnswer& answer = py::cast<const PyResult&>(self).get()[head];
  if (answer.output.data == nullptr) return py::none();
  py::object scores = py::none();
  py::object best = py::none();
  py::object label = py::none();
  if (answer.kind == HeadKind::kClassification) {
    const auto count = static_cast<std::int64_t>(answer.scores.size());
    scores = array_on({answer.scores.data(), DType::kFloat32, Shape{count}}, self);
    best = py::int_(answer.best);
    label = py::str(std::string(answer.label));
  }
  py::object quality = py::none();
  if (answer.expected_quality) {
    quality = py::make_tuple(std::string(answer.expected_quality->metric),
                             answer.expected_quality->value);
  }
  return py::make_tuple(array_on(answer.output, self), scores, best, label, quality);
}

py::dict presence_of(const PyResult& result) {
  py::dict presence;
  for (const ModalityReport& report : result.get().modalities()) {
    presence[py::str(std::string(report.name))] = py::str(std::string(name_of(report.presence)));
  }
  return presence;
}

/// ({modality: (prepare, encode)}, {head: fuse}, total), all in nanoseconds.
py::tuple timings_of(const PyResult& result) {
  py::dict modalities;
  for (const ModalityReport& report : result.get().modalities()) {
    modalities[py::str(std::string(report.name))] =
        py::make_tuple(report.prepare.count(), report.encode.count());
  }
  py::dict heads;
  for (const HeadAnswer& answer : result.get().heads()) {
    heads[py::str(std::string(answer.name))] = answer.fuse.count();
  }
  return py::make_tuple(modalities, heads, result.get().total().count());
}

Model load(const std::filesystem::path& path, const std::string& device,
           const std::string& precision, int threads, const std::filesystem::path& onnxruntime,
           const std::filesystem::path& tensorrt, const std::filesystem::path& cudart,
           const std::filesystem::path& engine_cache, bool verify, bool spin, bool arena) {
  LoadOptions options;
  options.device = device;
  options.precision = precision;
  options.threads = threads;
  options.onnxruntime = onnxruntime;
  options.tensorrt = tensorrt;
  options.cudart = cudart;
  options.engine_cache = engine_cache;
  options.verify = verify;
  options.spin = spin;
  options.arena = arena;
  const py::gil_scoped_release release;
  return Model::load(path, options);
}

PyResult run(const Model& model, const py::dict& samples) {
  const SampleList list(model.manifest(), samples);
  PyResult result(model.make_result());
  const py::gil_scoped_release release;
  model.run(list.named(), result.get());
  return result;
}

PyResult fuse(const Model& model, const py::dict& embeddings) {
  std::vector<py::object> kept;
  std::vector<std::string> names;
  std::vector<NamedEmbedding> list;
  names.reserve(embeddings.size());
  for (const auto& [key, value] : embeddings) {
    names.push_back(py::cast<std::string>(key));
    NamedEmbedding embedding{.modality = names.back(), .embedding = {}};
    if (!value.is_none()) embedding.embedding = view_of(value, names.back(), kept);
    list.push_back(embedding);
  }
  PyResult result(model.make_result());
  const py::gil_scoped_release release;
  model.fuse(list, result.get());
  return result;
}

py::array prepare(const Model& model, const std::string& modality, const py::object& sample) {
  OwnedArray out(model.input_shape(modality), model.input_dtype(modality));
  const SampleList list(model.manifest(), modality, sample);
  {
    const py::gil_scoped_release release;
    model.prepare(modality, list.only(), out.view());
  }
  return out.array();
}

py::array encode(const Model& model, const std::string& modality, const py::object& sample) {
  OwnedArray out(model.embedding_shape(modality));
  const SampleList list(model.manifest(), modality, sample);
  {
    const py::gil_scoped_release release;
    model.encode(modality, list.only(), out.view());
  }
  return out.array();
}

py::array encode_prepared(const Model& model, const std::string& modality,
                          const py::object& prepared) {
  OwnedArray out(model.embedding_shape(modality));
  std::vector<py::object> kept;
  const ConstTensorView view = view_of(prepared, modality, kept);
  {
    const py::gil_scoped_release release;
    model.encode_prepared(modality, view, out.view());
  }
  return out.array();
}

/// The shape of one sample, [1, ...], as that of so many.
Shape batch_of(const Shape& single, std::size_t count) {
  std::vector<std::int64_t> dims(single.dims().begin(), single.dims().end());
  dims.front() = static_cast<std::int64_t>(count);
  return Shape(dims);
}

py::array prepare_regions(const Model& model, const std::string& modality, const py::object& frame,
                          const py::iterable& regions) {
  const RegionList list(model.manifest(), modality, frame, regions);
  OwnedArray out(batch_of(model.input_shape(modality), list.regions().size()),
                 model.input_dtype(modality));
  {
    const py::gil_scoped_release release;
    model.prepare_regions(modality, list.frame(), list.regions(), out.view());
  }
  return out.array();
}

py::array encode_regions(const Model& model, const std::string& modality, const py::object& frame,
                         const py::iterable& regions) {
  const RegionList list(model.manifest(), modality, frame, regions);
  OwnedArray out(batch_of(model.embedding_shape(modality), list.regions().size()));
  {
    const py::gil_scoped_release release;
    model.encode_regions(modality, list.frame(), list.regions(), out.view());
  }
  return out.array();
}

py::memoryview read(const py::object& self, const std::string& member, bool verify) {
  const auto& bundle = py::cast<const Bundle&>(self);
  const std::span<const std::byte> bytes = [&] {
    const py::gil_scoped_release release;
    return bundle.member(member, verify);
  }();
  const auto count = static_cast<std::int64_t>(bytes.size());
  return py::memoryview(array_on({bytes.data(), DType::kUInt8, Shape{count}}, self));
}

}  // namespace

const Result& result_in(const py::handle& object) {
  return py::cast<const PyResult&>(object).get();
}

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "Plait's C++ core. Use the package plait, which wraps it.";
  register_errors();
  register_engine_cache(m);
  register_platform(m);
  register_operators(m);
  m.def("version", [] { return std::string(version()); });

  py::class_<Bundle>(m, "Bundle")
      .def(py::init([](const std::filesystem::path& path) {
             const py::gil_scoped_release release;
             return Bundle::open(path);
           }),
           py::arg("path"))
      .def("name", [](const Bundle& bundle) { return bundle.name(); })
      .def("manifest_json",
           [](const Bundle& bundle) { return std::string(bundle.manifest_json()); })
      .def("read", &read, py::arg("member"), py::arg("verify"))
      .def("verify", [](const Bundle& bundle) {
        const py::gil_scoped_release release;
        bundle.verify();
      });

  register_tokenizer(m);

  py::class_<PyResult>(m, "Result")
      .def("answer", &answer_of, py::arg("head"))
      .def("presence", &presence_of)
      .def("timings_ns", &timings_of);

  register_feature_stream(m);
  register_generation(m);
  py::class_<SignalState>(m, "SignalState")
      .def_readwrite("mean", &SignalState::mean)
      .def_readwrite("variance", &SignalState::variance);

  py::class_<Model>(m, "Model")
      .def(py::init(&load), py::arg("path"), py::arg("device"), py::arg("precision"),
           py::arg("threads"), py::arg("onnxruntime"), py::arg("tensorrt"), py::arg("cudart"),
           py::arg("engine_cache"), py::arg("verify"), py::arg("spin"), py::arg("arena"))
      .def("manifest_json", [](const Model& model) { return std::string(model.manifest_json()); })
      .def("precision", [](const Model& model) { return std::string(model.precision()); })
      .def("backend", [](const Model& model) { return std::string(model.backend()); })
      .def("run", &run, py::arg("samples"))
      .def("prepare", &prepare, py::arg("modality"), py::arg("sample"))
      .def("encode", &encode, py::arg("modality"), py::arg("sample"))
      .def("encode_prepared", &encode_prepared, py::arg("modality"), py::arg("prepared"))
      .def("prepare_regions", &prepare_regions, py::arg("modality"), py::arg("frame"),
           py::arg("regions"))
      .def("encode_regions", &encode_regions, py::arg("modality"), py::arg("frame"),
           py::arg("regions"))
      .def(
          "feature_stream",
          [](const Model& model, const std::string& modality) {
            return model.feature_stream(modality);
          },
          py::arg("modality"))
      .def("generator", &Model::generator, py::arg("head"))
      .def("generation_options", &Model::generation_options, py::arg("head"))
      .def("signal_state", &Model::signal_state, py::arg("modality"))
      .def("fuse", &fuse, py::arg("embeddings"));
}

}  // namespace plait::python
