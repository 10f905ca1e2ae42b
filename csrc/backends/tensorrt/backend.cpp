// backend.cpp: finds a graph's engine by all that it depends on.
#include "backends/tensorrt/backend.hpp"

#include <fstream>
#include <utility>

#include "backends/tensorrt/engine.hpp"
#include "backends/tensorrt/engine_choice.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

/// "R36.4.3" on Jetson, whose drivers come with the system; empty elsewhere.
std::string jetson_release() {
  std::ifstream file("/etc/nv_tegra_release");
  std::string line;
  if (!std::getline(file, line)) return {};
  // "# R36 (release), REVISION: 4.3, GCID: ..."
  const std::size_t begin = line.find('R');
  const std::size_t end = line.find(' ', begin);
  const std::string mark = "REVISION: ";
  const std::size_t revision = line.find(mark);
  if (begin == std::string::npos || end == std::string::npos || revision == std::string::npos)
    return {};
  const std::size_t number = revision + mark.size();
  return line.substr(begin, end - begin) + "." +
         line.substr(number, line.find(',', number) - number);
}

EngineKey platform_of(const CudaRuntime& cuda, const TensorRtLibrary& library) {
  const std::string release = jetson_release();
  return {.graph_sha256 = {},
          .precision = {},
          .profiles = {},
          .tensorrt = library.version(),
          .device = cuda.device().name,
          .compute_capability = cuda.device().compute_capability,
          .driver = cuda.device().driver + (release.empty() ? "" : " " + release),
          .plugins = {}};
}

EngineCache cache_of(const LoadOptions& options) {
  return EngineCache(options.engine_cache.empty() ? EngineCache::default_folder()
                                                  : options.engine_cache);
}

std::shared_ptr<EngineHost> open_host(const LoadOptions& options) {
  const CudaRuntime& cuda = CudaRuntime::get(options.cudart);
  return std::make_shared<EngineHost>(cuda, TensorRtLibrary::get(options.tensorrt));
}

class TensorRtBackend final : public Backend {
 public:
  explicit TensorRtBackend(const LoadOptions& options)
      : host_(open_host(options)),
        platform_(platform_of(host_->cuda, host_->library)),
        plugins_(options.tensorrt_plugins),
        cache_(cache_of(options)),
        description_("tensorrt " + platform_.tensorrt + ", " + platform_.device + " (" +
                     platform_.compute_capability + "), CUDA " + platform_.driver) {}

  const std::string& description() const noexcept override { return description_; }

  std::unique_ptr<Executable> load(const GraphDescription& graph, const GraphFile& file) override {
    EngineKey key = platform_;
    key.graph_sha256 = file.sha256;
    key.precision = file.precision;
    key.profiles = single_profiles(graph);
    if (file.form == GraphForm::kFused) key.plugins = host_->library.load_plugins(plugins_);
    const EngineLookup found = choose_engine(cache_, key);
    if (!found.engine) {
      throw BackendError(
          {.where = file.where,
           .expected = "an engine of TensorRT's, built for this device",
           .got = found.why_not,
           .action = "Build it here: `plait build BUNDLE --backend tensorrt --precision " +
                     file.precision + "`."});
    }
    return make_engine(host_, graph, found.engine->plan(), file.where);
  }

 private:
  std::shared_ptr<EngineHost> host_;
  EngineKey platform_;
  std::filesystem::path plugins_;
  EngineCache cache_;
  std::string description_;
};

}  // namespace

std::unique_ptr<Backend> make_tensorrt_backend(const LoadOptions& options) {
  return std::make_unique<TensorRtBackend>(options);
}

EngineKey engine_platform(const LoadOptions& options, bool with_plugins) {
  const TensorRtLibrary& library = TensorRtLibrary::get(options.tensorrt);
  EngineKey platform = platform_of(CudaRuntime::get(options.cudart), library);
  if (with_plugins) platform.plugins = library.load_plugins(options.tensorrt_plugins);
  return platform;
}

}  // namespace plait::detail
