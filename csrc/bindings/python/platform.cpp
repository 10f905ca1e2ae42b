// platform.cpp: what engines built and run on this device depend on.
#include "bindings/python/platform.hpp"

#include <pybind11/stl/filesystem.h>

#include <string>

#include "backends/tensorrt/backend.hpp"

namespace plait::python {
namespace {

namespace py = pybind11;

py::dict engine_platform(const std::filesystem::path& tensorrt, const std::filesystem::path& cudart,
                         const std::filesystem::path& plugins, bool with_plugins) {
  LoadOptions options;
  options.tensorrt = tensorrt;
  options.cudart = cudart;
  options.tensorrt_plugins = plugins;
  const detail::EngineKey platform = [&] {
    const py::gil_scoped_release release;
    return detail::engine_platform(options, with_plugins);
  }();
  py::dict fields;
  fields["tensorrt"] = platform.tensorrt;
  fields["device"] = platform.device;
  fields["compute_capability"] = platform.compute_capability;
  fields["driver"] = platform.driver;
  fields["plugins"] = platform.plugins;
  return fields;
}

}  // namespace

void register_platform(pybind11::module_& m) {
  m.def("engine_platform", &engine_platform, py::kw_only(), py::arg("tensorrt") = "",
        py::arg("cudart") = "", py::arg("plugins") = "", py::arg("with_plugins") = false);
}

}  // namespace plait::python
