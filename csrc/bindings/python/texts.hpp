// texts.hpp: Python strings as texts without copies, and the tokenizer.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "plait/sample.hpp"

namespace plait::python {

/// Views a str, or a 0-d array of one as golden data holds it. What owns the memory is appended to
/// kept. Throws SampleError for anything else; bytes too, whose encoding nobody states.
Text view_text(const pybind11::handle& value, const std::string& modality,
               std::vector<pybind11::object>& kept);

/// Adds the class Tokenizer to the module.
void register_tokenizer(pybind11::module_& module);

}  // namespace plait::python
