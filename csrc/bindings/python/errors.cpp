// errors.cpp: translates each error type to the Python exception of the same name.
#include "bindings/python/errors.hpp"

#include <pybind11/pybind11.h>

#include <exception>

#include "plait/error.hpp"

namespace plait::python {
namespace {

namespace py = pybind11;

void raise(const char* type, const Error& error) {
  const py::object exception = py::module_::import("plait.errors").attr(type);
  const ErrorParts& parts = error.parts();
  const py::object instance =
      exception(py::arg("where") = parts.where, py::arg("expected") = parts.expected,
                py::arg("got") = parts.got, py::arg("action") = parts.action);
  PyErr_SetObject(exception.ptr(), instance.ptr());
}

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const BundleError& error) {
    raise("BundleError", error);
  } catch (const SampleError& error) {
    raise("SampleError", error);
  } catch (const BackendError& error) {
    raise("BackendError", error);
  } catch (const ConfigError& error) {
    raise("ConfigError", error);
  }
}

}  // namespace

void register_errors() { py::register_exception_translator(&translate); }

}  // namespace plait::python
