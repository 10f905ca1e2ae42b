// library.cpp: finds libnvinfer, checks its version, and brings Plait's plugins into its registry.
#include "backends/tensorrt/library.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/tensorrt/search.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhere = "TensorRT";
constexpr const char* kPlugins = "TensorRT plugins";

thread_local std::array<char, 1024> last_error{};

std::string wanted_version() { return "TensorRT " + std::to_string(kTensorRtMajor); }

std::string install_action() {
  return "Install " + wanted_version() + ", or name its libnvinfer.so." +
         std::to_string(kTensorRtMajor) + " in PLAIT_TENSORRT.";
}

}  // namespace

void TensorRtLogger::log(Severity severity, const char* message) noexcept {
  if (severity > Severity::kERROR || message == nullptr) return;
  const std::size_t length = std::min(std::strlen(message), last_error.size() - 1);
  std::memcpy(last_error.data(), message, length);
  last_error[length] = '\0';
}

std::string TensorRtLogger::take_error() {
  std::string message = last_error.data();
  last_error.front() = '\0';
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  return message.empty() ? "no reason" : message;
}

void TensorRtLogger::forget() noexcept { last_error.front() = '\0'; }

TensorRtLibrary::TensorRtLibrary(const fs::path& wanted) {
  open(wanted);
  check_version();
}

void TensorRtLibrary::open(const fs::path& wanted) {
  const LibrarySearch search{.wanted = wanted,
                             .variable = "PLAIT_TENSORRT",
                             .package_folders = {"tensorrt_libs"},
                             .names = {"libnvinfer.so." + std::to_string(kTensorRtMajor)},
                             .system_paths = {}};
  std::string tried;
  library_ = open_first(search, path_, tried);
  if (library_) return;
  throw BackendError({.where = kWhere,
                      .expected = wanted_version() + ", for which this Plait was built",
                      .got = "none: " + tried,
                      .action = install_action()});
}

template <typename Function>
Function TensorRtLibrary::find(const char* name) const {
  const auto function = reinterpret_cast<Function>(library_.symbol(name));
  if (function != nullptr) return function;
  throw BackendError({.where = kWhere,
                      .expected = wanted_version() + ", for which this Plait was built",
                      .got = path_ + " without " + name,
                      .action = install_action()});
}

int TensorRtLibrary::version_part(const char* function) const {
  return find<int (*)()>(function)();
}

void TensorRtLibrary::check_version() {
  packed_version_ = version_part("getInferLibVersion");
  const int major = version_part("getInferLibMajorVersion");
  version_ = std::to_string(major);
  for (const char* part :
       {"getInferLibMinorVersion", "getInferLibPatchVersion", "getInferLibBuildVersion"}) {
    version_.append(".").append(std::to_string(version_part(part)));
  }
  if (major == kTensorRtMajor) return;
  throw BackendError({.where = kWhere,
                      .expected = wanted_version() + ", for which this Plait was built",
                      .got = version_ + " from " + path_,
                      .action = install_action() + " Or build Plait with that version's headers: " +
                                "PLAIT_TENSORRT_INCLUDE."});
}

const TensorRtLibrary& TensorRtLibrary::get(const fs::path& wanted) {
  static std::mutex mutex;
  static const TensorRtLibrary* opened = nullptr;  // lives as long as the process, on purpose
  const std::lock_guard lock(mutex);
  if (opened == nullptr) opened = std::make_unique<const TensorRtLibrary>(wanted).release();
  require_same_library(kWhere, opened->path_, wanted);
  return *opened;
}

std::unique_ptr<nvinfer1::IRuntime> TensorRtLibrary::make_runtime() const {
  using Create = void* (*)(void* logger, int version);
  // Its own version, not the headers': tables of functions only grow within a major version, and
  // the backend calls none that 10.0 did not have, so that one build runs with every JetPack's
  // minor version.
  void* runtime = find<Create>("createInferRuntime_INTERNAL")(&logger_, packed_version_);
  if (runtime == nullptr) {
    throw BackendError({.where = kWhere,
                        .expected = "a runtime",
                        .got = "from TensorRT " + version_ + ": " + TensorRtLogger::take_error(),
                        .action = ""});
  }
  return std::unique_ptr<nvinfer1::IRuntime>(static_cast<nvinfer1::IRuntime*>(runtime));
}

std::string TensorRtLibrary::load_plugins(const fs::path& wanted) const {
  const std::lock_guard lock(mutex_);
  if (plugins_) {
    require_same_library(kPlugins, plugins_path_, wanted);
    return plugins_abi_;
  }
  const fs::path beside = fs::path(path_of_this_library()).parent_path() / "libplait_tensorrt.so";
  const std::string path = (wanted.empty() ? beside : wanted).string();
  const auto refuse = [&](const std::string& got) {
    throw BackendError({.where = kPlugins,
                        .expected = "the plugins of this Plait for " + wanted_version(),
                        .got = got,
                        .action = "Load a portable precision, or build Plait with CUDA."});
  };
  std::string error;
  DynamicLibrary library = DynamicLibrary::open(path, error);
  if (!library) refuse(error);
  using Abi = const char* (*)();
  const auto abi = reinterpret_cast<Abi>(library.symbol("plait_plugins_abi"));
  if (abi == nullptr) refuse(path + " without plait_plugins_abi");
  const auto registry = find<nvinfer1::IPluginRegistry* (*)()>("getPluginRegistry")();
  if (registry == nullptr) refuse("no registry in TensorRT " + version_);
  if (registry->loadLibrary(path.c_str()) == nullptr) {
    refuse(path + ", which TensorRT " + version_ +
           " does not load: " + TensorRtLogger::take_error());
  }
  plugins_abi_ = abi();
  plugins_path_ = path;
  plugins_ = std::move(library);
  return plugins_abi_;
}

}  // namespace plait::detail
