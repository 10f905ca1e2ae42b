// tokenizer_cases.cpp: small tokenizers of every family, as tokenizer.json.
#include "tokenizer_cases.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "preprocess/text/byte_level.hpp"

namespace plait::testing {
namespace {

using nlohmann::json;

json added(int id, const char* content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

json type(const char* name) { return {{"type", name}}; }

json file(const json& model) {
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", nullptr},
          {"model", model}};
}

/// One token a byte, with a suffix or without, from an id on.
void add_bytes(json& vocabulary, const std::string& suffix) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    detail::append_byte_level(std::string(1, static_cast<char>(byte)), token);
    vocabulary[token + suffix] = vocabulary.size();
  }
}

json byte_level(bool prefix, bool regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix},
          {"trim_offsets", true},
          {"use_regex", regex}};
}

std::string base64(const std::string& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  unsigned int bits = 0;
  int held = 0;
  for (const char byte : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(byte);
    for (held += 8; held >= 6;) {
      held -= 6;
      text += kDigits[bits >> static_cast<unsigned int>(held) & 63U];
    }
  }
  if (held > 0) text += kDigits[bits << static_cast<unsigned int>(6 - held) & 63U];
  while (text.size() % 4 != 0) text += '=';
  return text;
}

/// A double array that holds one key, "A", for which "a" stands.
std::string charsmap() {
  constexpr unsigned int kLeafOffset = 0x80;
  std::array<unsigned int, 256> units{};
  units['A'] = 'A' | 1U << 8U | kLeafOffset << 10U;
  units['A' ^ kLeafOffset] = 1U << 31U;  // the value 0: the first replacement
  std::string bytes;
  const auto put = [&bytes](unsigned int value) {
    for (unsigned int shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(value >> shift & 0xFFU);
    }
  };
  put(units.size() * 4);
  for (const unsigned int unit : units) put(unit);
  return base64(bytes + std::string("a\0", 2));
}

json special_template(const std::vector<std::pair<const char*, int>>& before,
                      const std::vector<std::pair<const char*, int>>& after) {
  json single = json::array();
  json tokens = json::object();
  const auto put = [&](const std::pair<const char*, int>& token) {
    single.push_back({{"SpecialToken", {{"id", token.first}, {"type_id", 0}}}});
    tokens[token.first] = {{"id", token.first}, {"ids", {token.second}}, {"tokens", {token.first}}};
  };
  for (const auto& token : before) put(token);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  for (const auto& token : after) put(token);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", json::array()},
          {"special_tokens", tokens}};
}

}  // namespace

std::string gpt2_json() {
  json vocabulary = json::object();
  add_bytes(vocabulary, "");
  json merges = json::array();
  const std::pair<const char*, const char*> pairs[] = {{"t", "h"}, {"th", "e"},  {"\u0120", "the"},
                                                       {"a", "b"}, {"ab", "ab"}, {"i", "n"}};
  for (const auto& [left, right] : pairs) {
    vocabulary[std::string(left) + right] = vocabulary.size();
    merges.push_back(std::string(left) + " " + right);
  }
  const auto end = static_cast<int>(vocabulary.size());
  json document = file({{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}});
  document["added_tokens"].push_back(added(end, "<|end|>"));
  document["pre_tokenizer"] = byte_level(false, true);
  document["decoder"] = byte_level(false, true);
  return document.dump();
}

std::string clip_json() {
  json vocabulary = json::object();
  add_bytes(vocabulary, "");
  add_bytes(vocabulary, "</w>");
  json merges = json::array();
  const std::pair<const char*, const char*> pairs[] = {
      {"c", "a"}, {"ca", "t</w>"}, {"o", "f</w>"}, {"a", "b"}};
  for (const auto& [left, right] : pairs) {
    vocabulary[std::string(left) + right] = vocabulary.size();
    merges.push_back({left, right});
  }
  const auto start = static_cast<int>(vocabulary.size());
  json document = file(
      {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}, {"end_of_word_suffix", "</w>"}});
  document["added_tokens"] = {added(start, "<|start|>"), added(start + 1, "<|end|>")};
  document["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers",
       {type("NFC"),
        {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
        type("Lowercase")}}};
  document["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}}},
         {"behavior", "Removed"},
         {"invert", true}},
        byte_level(false, false)}}};
  document["post_processor"] = {{"type", "RobertaProcessing"},
                                {"sep", {"<|end|>", start + 1}},
                                {"cls", {"<|start|>", start}},
                                {"trim_offsets", false},
                                {"add_prefix_space", false}};
  document["decoder"] = byte_level(false, false);
  return document.dump();
}

std::string llama_json() {
  json vocabulary = json::object();
  vocabulary["<unk>"] = 0;
  for (unsigned int byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    vocabulary[std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">"] =
        vocabulary.size();
  }
  for (const char* token : {"\u2581", "a", "b", "n", "e", "\u00E9"}) {
    vocabulary[token] = vocabulary.size();
  }
  json merges = json::array();
  const std::pair<const char*, const char*> pairs[] = {
      {"a", "n"}, {"\u2581", "an"}, {"b", "e"}, {"e", "e"}};
  for (const auto& [left, right] : pairs) {
    vocabulary[std::string(left) + right] = vocabulary.size();
    merges.push_back({left, right});
  }
  json document = file({{"type", "BPE"},
                        {"vocab", vocabulary},
                        {"merges", merges},
                        {"unk_token", "<unk>"},
                        {"fuse_unk", true},
                        {"byte_fallback", true}});
  document["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "Prepend"}, {"prepend", "\u2581"}},
        {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}};
  document["decoder"] = {
      {"type", "Sequence"},
      {"decoders",
       {{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
        type("ByteFallback"),
        type("Fuse"),
        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  return document.dump();
}

std::string bert_json() {
  json vocabulary = json::object();
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##a", "##b", "ab",
                            "##ab", "un", "##un", "!", ",", "\u4e2d", "e"}) {
    vocabulary[token] = vocabulary.size();
  }
  json document = file({{"type", "WordPiece"},
                        {"vocab", vocabulary},
                        {"unk_token", "[UNK]"},
                        {"continuing_subword_prefix", "##"},
                        {"max_input_chars_per_word", 100}});
  for (int id = 0; id < 4; ++id) {
    constexpr std::array kNames = {"[PAD]", "[UNK]", "[CLS]", "[SEP]"};
    document["added_tokens"].push_back(added(id, kNames[static_cast<std::size_t>(id)]));
  }
  document["normalizer"] = {{"type", "BertNormalizer"},
                            {"clean_text", true},
                            {"handle_chinese_chars", true},
                            {"strip_accents", nullptr},
                            {"lowercase", true}};
  document["pre_tokenizer"] = type("BertPreTokenizer");
  document["post_processor"] = special_template({{"[CLS]", 2}}, {{"[SEP]", 3}});
  document["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  return document.dump();
}

std::string unigram_json() {
  json pieces = json::array();
  const std::pair<const char*, double> scores[] = {
      {"<unk>", 0.0}, {"\u2581", -2.0},   {"a", -3.0}, {"b", -3.5},
      {"ab", -4.0},   {"\u2581ab", -4.5}, {"ba", -7.0}};
  for (const auto& [piece, score] : scores) pieces.push_back(json::array({piece, score}));
  json document =
      file({{"type", "Unigram"}, {"unk_id", 0}, {"vocab", pieces}, {"byte_fallback", false}});
  document["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", charsmap()}};
  document["pre_tokenizer"] = {{"type", "Metaspace"},
                               {"replacement", "\u2581"},
                               {"prepend_scheme", "always"},
                               {"split", true}};
  document["decoder"] = document["pre_tokenizer"];
  return document.dump();
}

std::string words_json() {
  json document = file({{"type", "WordLevel"},
                        {"vocab", {{"[UNK]", 0}, {"a", 1}, {"b", 2}, {"1", 3}, {".", 4}}},
                        {"unk_token", "[UNK]"}});
  document["normalizer"] = {{"type", "Sequence"},
                            {"normalizers",
                             {type("NFKD"),
                              type("StripAccents"),
                              type("Nmt"),
                              type("NFKC"),
                              {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}}}}};
  document["pre_tokenizer"] = {{"type", "Sequence"},
                               {"pretokenizers",
                                {type("Whitespace"),
                                 {{"type", "Punctuation"}, {"behavior", "MergedWithPrevious"}},
                                 {{"type", "Digits"}, {"individual_digits", true}},
                                 {{"type", "Split"},
                                  {"pattern", {{"Regex", "(?i:ab)|\\p{Lu}+(?!\\S)"}}},
                                  {"behavior", "MergedWithNext"},
                                  {"invert", false}},
                                 {{"type", "Split"},
                                  {"pattern", {{"String", "b"}}},
                                  {"behavior", "Contiguous"},
                                  {"invert", true}}}}};
  json mark = added(5, "[MASK]");
  mark["lstrip"] = mark["rstrip"] = mark["normalized"] = true;
  json word = added(6, "ab");
  word["single_word"] = true;
  document["added_tokens"] = {mark, word};
  document["decoder"] = {{"type", "BPEDecoder"}, {"suffix", "</w>"}};
  return document.dump();
}

std::vector<std::string> all_tokenizers() {
  return {gpt2_json(), clip_json(), llama_json(), bert_json(), unigram_json(), words_json()};
}

}  // namespace plait::testing
