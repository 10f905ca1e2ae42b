// library.cpp: finds libonnxruntime, asks it for an API table, and creates its environment.
#include "backends/onnxruntime/library.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;

// Graphs are opset 20, which ONNX Runtime 1.17 was the first to run. The table only grows, so the
// lowest level that has what is used lets vendors' older builds load.
constexpr std::uint32_t kApiLevel = 17;
constexpr const char* kOldestVersion = "1.17";

/// libonnxruntime.so* in a folder: the ONNX Runtime wheel versions the file's name.
std::vector<std::string> libraries_in(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with("libonnxruntime.so")) {
      found.push_back(entry.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> candidates(const fs::path& wanted) {
  if (!wanted.empty()) return {wanted.string()};
  // Only racing with setenv is unsafe, and only an application that sets variables late has that
  // race.
  const char* variable = std::getenv("PLAIT_ONNXRUNTIME");  // NOLINT(concurrency-mt-unsafe)
  if (variable != nullptr && *variable != '\0') return {variable};
  // site-packages/plait/lib/libplait.so -> site-packages/onnxruntime/capi/
  const fs::path here = fs::path(path_of_this_library()).parent_path();
  std::vector<std::string> paths = libraries_in(here / ".." / ".." / "onnxruntime" / "capi");
  paths.insert(paths.end(), {"libonnxruntime.so.1", "libonnxruntime.so"});
  return paths;
}

std::string expected_library() {
  return std::string("ONNX Runtime ") + kOldestVersion + " or newer";
}

}  // namespace

OrtLibrary::OrtLibrary(const fs::path& wanted) {
  std::string tried;
  for (const std::string& path : candidates(wanted)) {
    std::string error;
    library_ = DynamicLibrary::open(path, error);
    if (library_) {
      path_ = path;
      break;
    }
    tried += (tried.empty() ? "" : "; ") + error;
  }
  const std::string where = "ONNX Runtime";
  const std::string action =
      "Install it (pip install onnxruntime), or name its libonnxruntime.so in PLAIT_ONNXRUNTIME.";
  if (!library_) {
    throw BackendError({.where = where,
                        .expected = expected_library(),
                        .got = "none: " + tried,
                        .action = action});
  }
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
  const auto get_base = reinterpret_cast<GetApiBase>(library_.symbol("OrtGetApiBase"));
  if (get_base == nullptr) {
    throw BackendError({.where = where,
                        .expected = expected_library(),
                        .got = "a library without OrtGetApiBase, " + path_,
                        .action = action});
  }
  const OrtApiBase* base = get_base();
  version_ = base->GetVersionString();
  api_ = base->GetApi(kApiLevel);
  if (api_ == nullptr) {
    throw BackendError({.where = where,
                        .expected = expected_library(),
                        .got = version_ + " from " + path_,
                        .action = action});
  }
}

const OrtLibrary& OrtLibrary::get(const fs::path& wanted) {
  static std::mutex mutex;
  static const OrtLibrary* opened = nullptr;  // lives as long as the process, on purpose
  const std::lock_guard lock(mutex);
  if (opened == nullptr) opened = std::make_unique<const OrtLibrary>(wanted).release();
  std::error_code ignored;
  if (!wanted.empty() && opened->path_ != wanted.string() &&
      !fs::equivalent(opened->path_, wanted, ignored)) {
    throw ConfigError({.where = "ONNX Runtime",
                       .expected = "the library this process already runs, " + opened->path_,
                       .got = wanted.string(),
                       .action = "Use one ONNX Runtime a process."});
  }
  return *opened;
}

OrtStatus* OrtLibrary::create_fused_session(const OrtEnv* env, std::span<const std::byte> model,
                                            const OrtSessionOptions* options,
                                            OrtSession** session) const {
  const auto create = [&] {
    return api_->CreateSessionFromArray(env, model.data(), model.size(), options, session);
  };
  if (knows_domain_.load(std::memory_order_acquire)) return create();
  const std::lock_guard lock(first_fused_);
  OrtStatus* status = create();
  if (status == nullptr) knows_domain_.store(true, std::memory_order_release);
  return status;
}

void OrtLibrary::check(OrtStatus* status, const std::string& where,
                       const std::string& expected) const {
  if (status == nullptr) return;
  std::string message = api_->GetErrorMessage(status);
  api_->ReleaseStatus(status);
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  throw BackendError({.where = where,
                      .expected = expected,
                      .got = "from ONNX Runtime " + version_ + ": " + message,
                      .action = "Run `plait doctor` on the bundle."});
}

std::shared_ptr<const OrtEnvironment> OrtEnvironment::get(const OrtLibrary& library, int threads,
                                                          bool spin) {
  static std::mutex mutex;
  static std::weak_ptr<const OrtEnvironment> current;
  const std::lock_guard lock(mutex);
  std::shared_ptr<const OrtEnvironment> environment = current.lock();
  if (!environment) {
    environment = std::make_shared<const OrtEnvironment>(library, threads, spin);
    current = environment;
  }
  return environment;
}

namespace {

constexpr const char* kEnvironment = "ONNX Runtime environment";

OrtHandle<OrtMemoryInfo> describe_cpu_memory(const OrtLibrary& library) {
  OrtMemoryInfo* raw = nullptr;
  library.check(library.api().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &raw),
                kEnvironment, "a description of CPU memory");
  return {raw, library.api().ReleaseMemoryInfo};
}

OrtHandle<OrtEnv> create_env(const OrtLibrary& library, int threads, bool spin) {
  const OrtApi& api = library.api();
  OrtThreadingOptions* raw = nullptr;
  library.check(api.CreateThreadingOptions(&raw), kEnvironment, "threading options");
  const OrtHandle<OrtThreadingOptions> options(raw, api.ReleaseThreadingOptions);
  library.check(api.SetGlobalIntraOpNumThreads(raw, threads), kEnvironment, "a thread count");
  library.check(api.SetGlobalInterOpNumThreads(raw, 1), kEnvironment, "a thread count");
  library.check(api.SetGlobalSpinControl(raw, spin ? 1 : 0), kEnvironment, "spin control");
  OrtEnv* env = nullptr;
  library.check(api.CreateEnvWithGlobalThreadPools(ORT_LOGGING_LEVEL_ERROR, "plait", raw, &env),
                kEnvironment, "an environment");
  return {env, api.ReleaseEnv};
}

}  // namespace

OrtEnvironment::OrtEnvironment(const OrtLibrary& library, int threads, bool spin)
    : library_(library),
      threads_(threads),
      spin_(spin),
      memory_(describe_cpu_memory(library)),
      env_(create_env(library, threads, spin)) {
  create_arena();
}

void OrtEnvironment::create_arena() {
  const OrtApi& api = library_.api();
  // Growing by what is asked for, not by powers of two, keeps small boards small.
  constexpr std::array<const char*, 1> keys = {"arena_extend_strategy"};
  constexpr std::array<std::size_t, 1> values = {1};
  OrtArenaCfg* raw = nullptr;
  library_.check(api.CreateArenaCfgV2(keys.data(), values.data(), keys.size(), &raw), kEnvironment,
                 "arena settings");
  const OrtHandle<OrtArenaCfg> config(raw, api.ReleaseArenaCfg);
  // Fails harmlessly when an embedding application, sharing the library, has registered one before.
  if (OrtStatus* status = api.CreateAndRegisterAllocator(env_.get(), memory_.get(), raw)) {
    api.ReleaseStatus(status);
  }
}

}  // namespace plait::detail
