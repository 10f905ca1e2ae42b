// absent.cpp: what the TensorRT backend is where Plait was built without TensorRT's headers.
#include "backends/tensorrt/backend.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

[[noreturn]] void refuse() {
  throw BackendError(
      {.where = "TensorRT",
       .expected = "a Plait built with TensorRT's headers",
       .got = "one built without",
       .action = "Build it with PLAIT_TENSORRT_INCLUDE, or load with device=\"cpu\"."});
}

}  // namespace

std::unique_ptr<Backend> make_tensorrt_backend(const LoadOptions& /*options*/) { refuse(); }

EngineKey engine_platform(const LoadOptions& /*options*/, bool /*with_plugins*/) { refuse(); }

}  // namespace plait::detail
