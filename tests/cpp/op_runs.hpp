// op_runs.hpp: runs a call of an operator and compares the answers of two implementations.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "op_cases.hpp"

namespace plait::testing {

using Outputs = std::vector<Tensor>;

/// Empty outputs of the shapes and element types that a call gives. Throws SampleError.
Outputs outputs_of(const ops::Op& op, std::span<const ConstTensorView> inputs);

/// Throws SampleError, ConfigError.
Outputs run(const ops::Op& op, std::span<const ConstTensorView> inputs, int threads,
            ops::Implementation implementation);

/// The outputs, or nothing where the call is refused with a message that says what was expected;
/// a message that does not aborts.
std::optional<Outputs> run_or_refuse(const ops::Op& op, std::span<const ConstTensorView> inputs,
                                     int threads, ops::Implementation implementation);

std::vector<std::byte> bits_of(const Outputs& outputs);

/// In words, where the two differ: in a whole number, in what is NaN, or, unless only that is
/// asked, by more than tolerance * max(1, max|expected|). Empty where they agree.
std::string difference(const Outputs& got, const Outputs& expected, double tolerance,
                       bool only_what_is_nan = false);

}  // namespace plait::testing
