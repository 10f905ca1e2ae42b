// text.hpp: a text -> token ids, cut and padded to what the encoder sees; or a known embedding.
#pragma once

#include <memory>
#include <string>

#include "preprocess/preprocessor.hpp"

namespace plait::detail {

/// Reads the tokenizer and the bank, if there is one, from the bundle's members. Throws BundleError
/// for a tokenizer that is damaged or asks for what this library does not have, and for a bank of
/// another size than its prompts need.
std::unique_ptr<Preprocessor> make_text_preprocessor(const ModalityDescription& modality,
                                                     const std::string& where,
                                                     const PreprocessorResources& resources);

}  // namespace plait::detail
