// texts.cpp: texts and the tokenizer across the Python waist.
#include "bindings/python/texts.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <memory>
#include <mutex>

#include "plait/error.hpp"
#include "plait/tokenizer.hpp"

namespace plait::python {
namespace {

namespace py = pybind11;

/// The UTF-8 that the string keeps. A lone surrogate has none.
std::string_view utf8_of(const py::handle& text, const std::string& where) {
  Py_ssize_t bytes = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &bytes);
  if (data == nullptr) {
    PyErr_Clear();
    throw SampleError({.where = where,
                       .expected = "a text that UTF-8 can hold",
                       .got = "one with a lone surrogate",
                       .action = "Replace it: text.encode('utf-8', 'replace').decode()."});
  }
  return {data, static_cast<std::size_t>(bytes)};
}

/// A Tokenizer with the scratches of threads that are through: a call takes one, or makes one.
class PyTokenizer {
 public:
  explicit PyTokenizer(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}

  const Tokenizer& get() const noexcept { return tokenizer_; }

  py::list encode(const py::str& text, bool special_tokens) {
    const std::string_view utf8 = utf8_of(text, "Tokenizer.encode");
    std::unique_ptr<Working> working = take();
    {
      const py::gil_scoped_release release;
      tokenizer_.encode(utf8, special_tokens, working->scratch, working->ids);
    }
    py::list ids(working->ids.size());
    for (std::size_t i = 0; i < working->ids.size(); ++i) {
      PyList_SET_ITEM(ids.ptr(), static_cast<Py_ssize_t>(i),
                      PyLong_FromUnsignedLong(working->ids[i]));
    }
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(working));
    return ids;
  }

 private:
  struct Working {
    TokenizerScratch scratch;
    std::vector<std::uint32_t> ids;
  };

  std::unique_ptr<Working> take() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) return std::make_unique<Working>();
    std::unique_ptr<Working> working = std::move(idle_.back());
    idle_.pop_back();
    return working;
  }

  Tokenizer tokenizer_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Working>> idle_;
};

}  // namespace

Text view_text(const py::handle& value, const std::string& modality,
               std::vector<py::object>& kept) {
  py::object text = py::reinterpret_borrow<py::object>(value);
  if (py::isinstance<py::array>(value) && py::cast<py::array>(value).ndim() == 0) {
    text = value.attr("item")();
  }
  if (!py::isinstance<py::str>(text)) {
    throw SampleError({.where = "modality " + modality,
                       .expected = "a str",
                       .got = std::string(Py_TYPE(text.ptr())->tp_name),
                       .action = "Pass the text; bytes as value.decode('utf-8')."});
  }
  kept.push_back(text);
  return {.utf8 = utf8_of(text, "modality " + modality)};
}

void register_tokenizer(py::module_& module) {
  py::class_<PyTokenizer>(module, "Tokenizer")
      .def(py::init([](const py::bytes& json, const std::string& name) {
             const auto text = static_cast<std::string_view>(json);
             const py::gil_scoped_release release;
             return std::make_unique<PyTokenizer>(Tokenizer::from_json(text, name));
           }),
           py::arg("json"), py::arg("name"))
      .def(py::init([](const std::filesystem::path& path) {
             const py::gil_scoped_release release;
             return std::make_unique<PyTokenizer>(Tokenizer::from_file(path));
           }),
           py::arg("path"))
      .def("encode", &PyTokenizer::encode, py::arg("text"), py::arg("special_tokens"))
      .def(
          "decode",
          [](const PyTokenizer& tokenizer, const std::vector<std::uint32_t>& ids,
             bool skip_special_tokens) {
            const py::gil_scoped_release release;
            return tokenizer.get().decode(ids, skip_special_tokens);
          },
          py::arg("ids"), py::arg("skip_special_tokens"))
      .def("vocabulary_size",
           [](const PyTokenizer& tokenizer) { return tokenizer.get().vocabulary_size(); })
      .def(
          "token_to_id",
          [](const PyTokenizer& tokenizer, const std::string& token) {
            return tokenizer.get().token_to_id(token);
          },
          py::arg("token"))
      .def(
          "id_to_token",
          [](const PyTokenizer& tokenizer, std::uint32_t id) {
            return tokenizer.get().id_to_token(id);
          },
          py::arg("id"));
}

}  // namespace plait::python
