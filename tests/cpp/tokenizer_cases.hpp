// tokenizer_cases.hpp: small tokenizers of every family, as tokenizer.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plait::testing {

/// Byte-level BPE with GPT-2's pattern, a few merges and <|end|> as a special token.
std::string gpt2_json();
/// The same with CLIP's pattern, lower case and end-of-word suffixes; <|start|>, <|end|> around.
std::string clip_json();
/// BPE over characters with byte fallback and SentencePiece's spaces.
std::string llama_json();
/// Lower-case WordPiece with [CLS] and [SEP].
std::string bert_json();
/// Unigram with a character map (which makes A an a) and Metaspace.
std::string unigram_json();
/// WordLevel with as many kinds of normalizers, pre-tokenizers and decoders as one file holds.
std::string words_json();

std::vector<std::string> all_tokenizers();

}  // namespace plait::testing
