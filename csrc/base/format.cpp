// format.cpp: numbers as people write them.
#include "base/format.hpp"

#include <array>
#include <cstdio>

namespace plait::detail {

std::string number_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

}  // namespace plait::detail
