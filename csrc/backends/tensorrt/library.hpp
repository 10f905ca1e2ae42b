// library.hpp: TensorRT's runtime library, opened at run time, and the library of Plait's plugins.
#pragma once

#include <NvInferRuntime.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/dynamic_library.hpp"

namespace plait::detail {

/// The version of the headers this was compiled with: its interfaces are those of one major
/// version.
inline constexpr int kTensorRtMajor = NV_TENSORRT_MAJOR;

/// Keeps the last error that TensorRT logged on this thread: its functions return only null or
/// false. Thread-safe; allocates nothing.
class TensorRtLogger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* message) noexcept override;
  /// The last error of this thread, which is then forgotten; "no reason" where it gave none.
  static std::string take_error();
  /// Before a call whose failure is to be explained by its own error only.
  static void forget() noexcept;
};

/// The opened library. Opened once a process and never closed: its registry, its worker threads and
/// what applications share of it do not survive an unload. Every method is thread-safe.
class TensorRtLibrary {
 public:
  /// Looks at the path given, then $PLAIT_TENSORRT, then beside the Python package, then the soname
  /// of the major version this was compiled for. Throws BackendError when none opens or the one
  /// that opens is of another major version, and ConfigError when the process already runs another.
  static const TensorRtLibrary& get(const std::filesystem::path& wanted);

  explicit TensorRtLibrary(const std::filesystem::path& wanted);  // use get()

  /// "10.14.1.48": as TensorRT's Python module names itself.
  const std::string& version() const noexcept { return version_; }
  const std::string& path() const noexcept { return path_; }

  /// Throws BackendError.
  std::unique_ptr<nvinfer1::IRuntime> make_runtime() const;

  /// Loads Plait's plugins once, from the path given or from beside this library, into TensorRT's
  /// registry. Returns their ABI. Throws BackendError where there are none or they do not load.
  std::string load_plugins(const std::filesystem::path& wanted) const;

 private:
  void open(const std::filesystem::path& wanted);
  void check_version();
  template <typename Function>
  Function find(const char* name) const;
  int version_part(const char* function) const;

  DynamicLibrary library_;
  std::string version_;
  std::string path_;
  int packed_version_ = 0;  // as createInferRuntime_INTERNAL takes it
  mutable TensorRtLogger logger_;

  mutable std::mutex mutex_;  // of what follows
  mutable DynamicLibrary plugins_;
  mutable std::string plugins_abi_;
  mutable std::string plugins_path_;
};

}  // namespace plait::detail
