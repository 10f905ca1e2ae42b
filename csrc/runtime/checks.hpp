// checks.hpp: what a caller's memory has to be.
#pragma once

#include <string>

#include "plait/tensor.hpp"

namespace plait::detail {

/// Memory of this shape and element type. Throws ConfigError; where names the modality.
void check_output(const TensorView& out, const Shape& shape, DType dtype, const std::string& where);

}  // namespace plait::detail
