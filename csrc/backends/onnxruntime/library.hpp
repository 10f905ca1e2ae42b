// library.hpp: ONNX Runtime, found and opened at run time, and its one environment a process.
#pragma once

#include <onnxruntime_c_api.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "backends/onnxruntime/handle.hpp"
#include "base/dynamic_library.hpp"

namespace plait::detail {

/// The opened library. Opened once a process and never closed: its threads and thread-locals do not
/// survive an unload.
class OrtLibrary {
 public:
  /// Looks at the path given, then $PLAIT_ONNXRUNTIME, then beside the Python package, then the
  /// soname. Throws BackendError when none opens or the one that opens is too old, and ConfigError
  /// when the process already runs another. Thread-safe.
  static const OrtLibrary& get(const std::filesystem::path& wanted);

  explicit OrtLibrary(const std::filesystem::path& wanted);  // use get()

  const OrtApi& api() const noexcept { return *api_; }
  const std::string& version() const noexcept { return version_; }
  const std::string& path() const noexcept { return path_; }

  /// Creates a session whose graph may use Plait's operators, which the options already hold.
  /// ONNX Runtime notes a domain of custom operators when it first sees it, and does not bear two
  /// sessions that are the first at once: this one waits for the first. Thread-safe.
  OrtStatus* create_fused_session(const OrtEnv* env, std::span<const std::byte> model,
                                  const OrtSessionOptions* options, OrtSession** session) const;

  /// Throws BackendError when status is an error, and releases it. where and expected are its
  /// parts.
  void check(OrtStatus* status, const std::string& where, const std::string& expected) const;

 private:
  DynamicLibrary library_;
  const OrtApi* api_ = nullptr;
  std::string version_;
  std::string path_;
  mutable std::mutex first_fused_;
  mutable std::atomic<bool> knows_domain_{false};
};

/// The environment all sessions share: one thread pool, one memory arena. Released with its last
/// owner.
class OrtEnvironment {
 public:
  /// The running environment, or a new one whose pool has this many threads. Thread-safe.
  static std::shared_ptr<const OrtEnvironment> get(const OrtLibrary& library, int threads,
                                                   bool spin);

  OrtEnvironment(const OrtLibrary& library, int threads, bool spin);  // use get()

  const OrtLibrary& library() const noexcept { return library_; }
  const OrtEnv* env() const noexcept { return env_.get(); }
  const OrtMemoryInfo* cpu_memory() const noexcept { return memory_.get(); }
  /// Whether the shared pool is what a model with these settings asks for.
  bool pool_fits(int threads, bool spin) const noexcept {
    return threads == threads_ && (spin == spin_ || threads == 1);
  }

 private:
  void create_arena();

  const OrtLibrary& library_;
  int threads_;
  bool spin_;
  OrtHandle<OrtMemoryInfo> memory_;
  OrtHandle<OrtEnv> env_;
};

}  // namespace plait::detail
