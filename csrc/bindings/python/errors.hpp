// errors.hpp: the core's errors as the exceptions of plait.errors.
#pragma once

namespace plait::python {

/// From here on a C++ plait::Error that reaches Python becomes the exception of the same name, with
/// the attributes where, expected, got and action.
void register_errors();

}  // namespace plait::python
