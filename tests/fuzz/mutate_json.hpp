// mutate_json.hpp: changes a JSON document so that it stays JSON: fuzzing gets past the syntax.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace plait::testing {

/// One to four random changes of values, keys and structure. Returns text unchanged when it is no
/// JSON. Mutates texts and numbers inside through the fuzzer (LLVMFuzzerMutate).
std::string mutate_json(std::string_view text, std::minstd_rand& random);

}  // namespace plait::testing
