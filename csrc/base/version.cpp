// version.cpp: the library's version, as CMake states it.
#include "plait/version.hpp"

namespace plait {

std::string_view version() noexcept { return PLAIT_VERSION; }

}  // namespace plait
