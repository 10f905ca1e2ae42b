// units.hpp: factors between the units sensors speak.
#pragma once

#include <optional>
#include <string_view>

namespace plait::detail {

/// x [from] * factor = x [to]; 1 for equal texts, nothing when the two do not convert.
std::optional<double> unit_factor(std::string_view from, std::string_view to) noexcept;

}  // namespace plait::detail
