// units.cpp: the table of units. Standard gravity is 9.80665 m/s^2 by definition (BIPM SI
// brochure).
#include "preprocess/units.hpp"

#include <array>
#include <numbers>

namespace plait::detail {
namespace {

struct Unit {
  std::string_view name;
  std::string_view quantity;
  double in_si;
};

constexpr std::array kUnits = {
    Unit{"m/s^2", "acceleration", 1.0},
    Unit{"g", "acceleration", 9.80665},
    Unit{"mg", "acceleration", 0.00980665},
    Unit{"rad/s", "rate of turn", 1.0},
    Unit{"deg/s", "rate of turn", std::numbers::pi / 180.0},
    Unit{"T", "magnetic field", 1.0},
    Unit{"uT", "magnetic field", 1e-6},
    Unit{"G", "magnetic field", 1e-4},
    Unit{"V", "voltage", 1.0},
    Unit{"mV", "voltage", 1e-3},
    Unit{"uV", "voltage", 1e-6},
};

const Unit* find(std::string_view name) noexcept {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace

std::optional<double> unit_factor(std::string_view from, std::string_view to) noexcept {
  if (from == to) return 1.0;
  const Unit* source = find(from);
  const Unit* target = find(to);
  if (source == nullptr || target == nullptr || source->quantity != target->quantity) return {};
  return source->in_si / target->in_si;
}

}  // namespace plait::detail
