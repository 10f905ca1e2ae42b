// engines.cpp: the engine cache's classes; plait/engine_cache.py says what they are.
#include "bindings/python/engines.hpp"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/tensorrt/engine_cache.hpp"
#include "bindings/python/arrays.hpp"

namespace plait::python {
namespace {

using detail::CachedEngine;
using detail::EngineCache;
using detail::EngineEntry;
using detail::EngineKey;
using detail::FileLock;

/// The bytes of anything that offers a contiguous buffer, such as TensorRT's host memory.
class Buffer {
 public:
  explicit Buffer(const py::object& owner) {
    if (PyObject_GetBuffer(owner.ptr(), &buffer_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { PyBuffer_Release(&buffer_); }
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_{};
};

std::string store(const EngineCache& cache, const EngineKey& key, const py::object& plan,
                  const std::string& report) {
  const Buffer buffer(plan);
  const py::gil_scoped_release release;
  return cache.store(key, buffer.bytes(), report);
}

/// (engine or None, why not)
std::pair<std::optional<CachedEngine>, std::string> find(const EngineCache& cache,
                                                         const EngineKey& key) {
  const py::gil_scoped_release release;
  detail::EngineLookup found = cache.find(key);
  return {std::move(found.engine), std::move(found.why_not)};
}

std::optional<FileLock> lock(const EngineCache& cache, const EngineKey& key, bool wait) {
  const auto interrupted = [] {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  };
  const py::gil_scoped_release release;
  return cache.lock(key, wait ? FileLock::Wait::kYes : FileLock::Wait::kNo, interrupted);
}

/// (removed, bytes, in use)
py::tuple clear(const EngineCache& cache, bool only_damaged) {
  const detail::EngineClearing done = [&] {
    const py::gil_scoped_release release;
    return cache.clear(only_damaged);
  }();
  return py::make_tuple(done.removed, done.bytes, done.in_use);
}

py::memoryview plan_of(const py::object& self) {
  const std::span<const std::byte> plan = py::cast<const CachedEngine&>(self).plan();
  const auto count = static_cast<std::int64_t>(plan.size());
  return py::memoryview(array_on({plan.data(), DType::kUInt8, Shape{count}}, self));
}

void register_key(py::module_& m) {
  py::class_<EngineKey>(m, "EngineKey")
      .def(py::init([](std::string graph_sha256, std::string precision, std::string profiles,
                       std::string tensorrt, std::string device, std::string compute_capability,
                       std::string driver, std::string plugins) {
             return EngineKey{std::move(graph_sha256), std::move(precision),
                              std::move(profiles),     std::move(tensorrt),
                              std::move(device),       std::move(compute_capability),
                              std::move(driver),       std::move(plugins)};
           }),
           py::kw_only(), py::arg("graph_sha256"), py::arg("precision"), py::arg("profiles"),
           py::arg("tensorrt"), py::arg("device"), py::arg("compute_capability"), py::arg("driver"),
           py::arg("plugins"))
      .def_readonly("graph_sha256", &EngineKey::graph_sha256)
      .def_readonly("precision", &EngineKey::precision)
      .def_readonly("profiles", &EngineKey::profiles)
      .def_readonly("tensorrt", &EngineKey::tensorrt)
      .def_readonly("device", &EngineKey::device)
      .def_readonly("compute_capability", &EngineKey::compute_capability)
      .def_readonly("driver", &EngineKey::driver)
      .def_readonly("plugins", &EngineKey::plugins)
      .def("json", &EngineKey::json)
      .def("hex", &EngineKey::hex);
}

void register_found(py::module_& m) {
  py::class_<CachedEngine>(m, "CachedEngine")
      .def("plan", &plan_of)
      .def("key", [](const CachedEngine& engine) { return engine.description().key; })
      .def("report", [](const CachedEngine& engine) { return engine.description().report; });

  py::class_<FileLock>(m, "EngineLock")
      .def("release", &FileLock::release)
      .def("held", &FileLock::held)
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](FileLock& lock, const py::args&) { lock.release(); });

  py::class_<EngineEntry>(m, "EngineEntry")
      .def_readonly("hex", &EngineEntry::hex)
      .def_readonly("problem", &EngineEntry::problem)
      .def("key",
           [](const EngineEntry& entry) -> std::optional<EngineKey> {
             if (entry.description.sha256.empty()) return std::nullopt;
             return entry.description.key;
           })
      .def("bytes", [](const EngineEntry& entry) { return entry.description.bytes; })
      .def("report", [](const EngineEntry& entry) { return entry.description.report; })
      .def("built_ns",
           [](const EngineEntry& entry) {
             return entry.description.built.time_since_epoch().count();
           })
      .def("used_ns",
           [](const EngineEntry& entry) { return entry.used.time_since_epoch().count(); });
}

}  // namespace

void register_engine_cache(py::module_& m) {
  register_key(m);
  register_found(m);
  const auto quietly = py::call_guard<py::gil_scoped_release>();
  py::class_<EngineCache>(m, "EngineCache")
      .def(py::init([](std::optional<std::filesystem::path> folder,
                       std::optional<std::uint64_t> limit_bytes) {
             return EngineCache(folder ? *folder : EngineCache::default_folder(),
                                limit_bytes ? *limit_bytes : EngineCache::default_limit_bytes());
           }),
           py::arg("folder") = py::none(), py::arg("limit_bytes") = py::none())
      .def("folder", [](const EngineCache& cache) { return cache.folder().string(); })
      .def("limit_bytes", &EngineCache::limit_bytes)
      .def("find", &find, py::arg("key"))
      .def("lock", &lock, py::arg("key"), py::kw_only(), py::arg("wait") = true)
      .def("store", &store, py::arg("key"), py::arg("plan"), py::arg("report"))
      .def("entries", &EngineCache::entries, quietly)
      .def("verify", &EngineCache::verify, quietly)
      .def("clear", &clear, py::kw_only(), py::arg("only_damaged") = false);
}

}  // namespace plait::python
