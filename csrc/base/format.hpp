// format.hpp: numbers as people write them, for error messages.
#pragma once

#include <string>

namespace plait::detail {

/// At most six significant digits, no trailing zeros: "50", "0.2", "1.5e+09".
std::string number_text(double value);

}  // namespace plait::detail
