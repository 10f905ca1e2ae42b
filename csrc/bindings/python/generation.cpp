// generation.cpp: generators of texts across the Python waist.
#include "bindings/python/generation.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "plait/plait.hpp"

namespace plait::python {
namespace {

namespace py = pybind11;

/// (text, tokens, scores, stopped_by, nanoseconds)
py::tuple generate(Generator& generator, const py::object& result, const std::string& prompt,
                   const std::vector<std::int64_t>& prompt_tokens, const GenerationOptions& options,
                   const py::object& on_token) {
  const Result& core = result_in(result);
  OnToken told;
  if (!on_token.is_none()) {
    told = [&](const SaidToken& token) {
      const py::gil_scoped_acquire acquire;
      const py::object answer =
          on_token(token.id, token.score, py::str(token.text.data(), token.text.size()));
      return answer.is_none() || py::cast<bool>(answer);
    };
  }
  GeneratedText text;
  {
    const py::gil_scoped_release release;
    generator.generate(core, {.text = prompt, .tokens = prompt_tokens}, options, text, told);
  }
  return py::make_tuple(text.text, text.tokens, text.scores, std::string(name_of(text.stopped_by)),
                        text.duration.count());
}

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

py::array_t<double> probabilities(const Floats& logits, const std::vector<std::int64_t>& previous,
                                  const GenerationOptions& options) {
  py::array_t<double> out(logits.size());
  token_probabilities({logits.data(), static_cast<std::size_t>(logits.size())}, previous, options,
                      {out.mutable_data(), static_cast<std::size_t>(out.size())});
  return out;
}

}  // namespace

void register_generation(py::module_& module) {
  py::class_<GenerationOptions>(module, "GenerationOptions")
      .def(py::init<>())
      .def_readwrite("max_tokens", &GenerationOptions::max_tokens)
      .def_readwrite("temperature", &GenerationOptions::temperature)
      .def_readwrite("top_k", &GenerationOptions::top_k)
      .def_readwrite("top_p", &GenerationOptions::top_p)
      .def_readwrite("repetition_penalty", &GenerationOptions::repetition_penalty)
      .def_readwrite("beams", &GenerationOptions::beams)
      .def_readwrite("length_penalty", &GenerationOptions::length_penalty)
      .def_readwrite("seed", &GenerationOptions::seed)
      .def_readwrite("stop", &GenerationOptions::stop)
      .def_readwrite("stop_tokens", &GenerationOptions::stop_tokens);
  py::class_<Generator>(module, "Generator")
      .def("generate", &generate, py::arg("result"), py::arg("prompt"), py::arg("prompt_tokens"),
           py::arg("options"), py::arg("on_token"));
  module.def("token_probabilities", &probabilities, py::arg("logits"), py::arg("previous"),
             py::arg("options"));
}

}  // namespace plait::python
