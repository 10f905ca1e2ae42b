// handle.hpp: owns an object that ONNX Runtime's C API made.
#pragma once

#include <memory>

namespace plait::detail {

/// Constructed as OrtHandle<OrtSession>(pointer, api.ReleaseSession).
template <typename T>
using OrtHandle = std::unique_ptr<T, void (*)(T*)>;

}  // namespace plait::detail
