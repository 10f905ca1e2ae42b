// plait/version.hpp: the library's version.
#pragma once

#include <string_view>

#include "plait/export.hpp"

namespace plait {

/// Version of libplait.so, "MAJOR.MINOR.PATCH". Semantic versioning.
PLAIT_API std::string_view version() noexcept;

}  // namespace plait
