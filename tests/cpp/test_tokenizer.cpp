// test_tokenizer.cpp: the laws of tokenizers that C++ can tell without the library `tokenizers`.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "allocations.hpp"
#include "plait/error.hpp"
#include "plait/tokenizer.hpp"
#include "preprocess/text/decoder.hpp"
#include "preprocess/text/matcher.hpp"
#include "preprocess/text/unicode.hpp"
#include "tokenizer_cases.hpp"

namespace plait {
namespace {

using nlohmann::json;

Tokenizer tokenizer_of(const std::string& text) { return Tokenizer::from_json(text, "test"); }

std::vector<std::string> tokens_of(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> tokens;
  for (const std::uint32_t id : tokenizer.encode(text))
    tokens.push_back(*tokenizer.id_to_token(id));
  return tokens;
}

/// Letters, digits, spaces, marks, emoji, in any order.
std::string random_text(std::mt19937& random) {
  constexpr std::string_view kPieces[] = {"a",  "b",      "the", " ",      "  ",     "'s", "42",
                                          "\n", "\u0301", "é",   "\u3000", "中",     "😀",  "!?",
                                          "A",  "\u00bd", "\t",  "ab",     "\u200d", "x",  "'"};
  std::string text;
  const std::size_t count = random() % 24;
  for (std::size_t i = 0; i < count; ++i) text += kPieces[random() % std::size(kPieces)];
  return text;
}

TEST(Tokenizer, ByteLevelMergesBeforeAll) {
  EXPECT_EQ(tokens_of(tokenizer_of(testing::gpt2_json()), "in the abab<|end|>!"),
            (std::vector<std::string>{"in", "\u0120the", "\u0120", "abab", "<|end|>", "!"}));
}

TEST(Tokenizer, ClipEndsWordsAndPutsSpecialTokensAround) {
  EXPECT_EQ(tokens_of(tokenizer_of(testing::clip_json()), "Cat  of"),
            (std::vector<std::string>{"<|start|>", "cat</w>", "of</w>", "<|end|>"}));
}

TEST(Tokenizer, WordPieceTakesTheLongestAndElseTheUnknown) {
  EXPECT_EQ(tokens_of(tokenizer_of(testing::bert_json()), "UNab, \u00C9 xyz"),
            (std::vector<std::string>{"[CLS]", "un", "##ab", ",", "e", "[UNK]", "[SEP]"}));
}

TEST(Tokenizer, UnigramTakesTheMostProbableAfterItsMap) {
  EXPECT_EQ(tokens_of(tokenizer_of(testing::unigram_json()), "Ab ba"),
            (std::vector<std::string>{"\u2581ab", "\u2581", "b", "a"}));
}

TEST(Tokenizer, ByteFallbackSpellsWhatIsUnknown) {
  const Tokenizer tokenizer = tokenizer_of(testing::llama_json());
  EXPECT_EQ(tokens_of(tokenizer, "an \u4e2d"),
            (std::vector<std::string>{"\u2581an", "\u2581", "<0xE4>", "<0xB8>", "<0xAD>"}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("an \u4e2d")), "an \u4e2d");
}

TEST(Tokenizer, DecodingByteLevelGivesTheTextBack) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const Tokenizer tokenizer = tokenizer_of(testing::gpt2_json());
  for (int i = 0; i < 500; ++i) {
    const std::string text = random_text(random);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Tokenizer, AWarmScratchGivesWhatAFreshOneGivesAndDoesNotAllocate) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) texts.push_back(random_text(random));
  for (const std::string& file : testing::all_tokenizers()) {
    const Tokenizer tokenizer = tokenizer_of(file);
    TokenizerScratch scratch;
    std::vector<std::uint32_t> ids;
    for (const std::string& text : texts) {
      tokenizer.encode(text, true, scratch, ids);
      EXPECT_EQ(ids, tokenizer.encode(text)) << text;
    }
    const testing_support::AllocationCounter allocations;
    for (const std::string& text : texts) tokenizer.encode(text, true, scratch, ids);
    EXPECT_EQ(allocations.count(), 0U);
  }
}

TEST(Tokenizer, AScratchMayGoFromOneTokenizerToAnother) {
  TokenizerScratch scratch;
  std::vector<std::uint32_t> ids;
  for (int round = 0; round < 2; ++round) {
    for (const std::string& file : testing::all_tokenizers()) {
      const Tokenizer tokenizer = tokenizer_of(file);
      tokenizer.encode("ab the an ab", true, scratch, ids);
      EXPECT_EQ(ids, tokenizer.encode("ab the an ab"));
    }
  }
}

TEST(Tokenizer, ThreadsShareOne) {
  for (const std::string& file : testing::all_tokenizers()) {
    const Tokenizer tokenizer = tokenizer_of(file);
    std::vector<std::thread> threads;
    for (unsigned int t = 0; t < 4; ++t) {
      threads.emplace_back([&tokenizer, t] {
        std::mt19937 random(t);
        TokenizerScratch scratch;
        std::vector<std::uint32_t> ids;
        for (int i = 0; i < 100; ++i) {
          tokenizer.encode(random_text(random), true, scratch, ids);
          (void)tokenizer.decode(ids);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(Tokenizer, BytesThatAreNoUtf8AreRefused) {
  const Tokenizer tokenizer = tokenizer_of(testing::gpt2_json());
  for (const std::string_view text :
       {"a\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe4\xb8"}) {
    EXPECT_THROW((void)tokenizer.encode(text), SampleError);
  }
}

TEST(Tokenizer, HandMatchedPatternsEqualTheRegularExpression) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string clip = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
  for (const std::string& pattern : {std::string(detail::kByteLevelPattern), clip}) {
    const auto by_hand = detail::make_regex_matcher(pattern, "test");
    const auto by_pcre2 = detail::make_pcre2_matcher(pattern, "test");
    detail::RegexScratch scratch;
    std::vector<detail::Match> hand;
    std::vector<detail::Match> pcre2;
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_text(random);
      by_hand->find(text, scratch, hand);
      by_pcre2->find(text, scratch, pcre2);
      ASSERT_EQ(hand.size(), pcre2.size()) << text;
      for (std::size_t m = 0; m < hand.size(); ++m) {
        EXPECT_EQ(hand[m].begin, pcre2[m].begin) << text;
        EXPECT_EQ(hand[m].end, pcre2[m].end) << text;
        EXPECT_EQ(hand[m].matched, pcre2[m].matched) << text;
      }
    }
  }
}

TEST(Tokenizer, ManyMarksAreOrderedInTheirClasses) {
  std::string text = "a";
  for (int i = 0; i < 20'000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";
  std::string ordered;
  std::vector<std::int32_t> codes;
  std::vector<std::uint64_t> marks;
  detail::append_normalized(detail::NormalizationForm::kNFD, text, ordered, codes, marks);
  std::string expected = "a";
  for (int i = 0; i < 10'000; ++i) expected += "\u0323";
  for (int i = 0; i < 10'000; ++i) expected += "\u0301";
  EXPECT_TRUE(ordered == expected);
}

TEST(Tokenizer, BrokenBytesDecodeToReplacements) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(detail::lossy_utf8("a\xE4\xB8z"), "a" + mark + "z");
  EXPECT_EQ(detail::lossy_utf8("\xF0\x80\x80"), mark + mark + mark);
  EXPECT_EQ(detail::lossy_utf8("\xE4\xB8\xAD\xED\xA0\x80"), "\u4e2d" + mark + mark + mark);
}

/// The file with one change, which has to be refused with these words.
void expect_refused(const char* pointer, const json& value, const std::string& words) {
  json document = json::parse(testing::bert_json());
  document[json::json_pointer(pointer)] = value;
  try {
    tokenizer_of(document.dump());
    ADD_FAILURE() << pointer << " was taken";
  } catch (const BundleError& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(Tokenizer, WhatItDoesNotHaveIsRefusedByName) {
  expect_refused("/model/type", "Magic", "'Magic'");
  expect_refused("/normalizer", {{"type", "Odd"}}, "'Odd'");
  expect_refused("/pre_tokenizer", {{"type", "UnicodeScripts"}}, "'UnicodeScripts'");
  expect_refused("/post_processor", {{"type", "Odd"}}, "'Odd'");
  expect_refused("/decoder", {{"type", "CTC"}}, "'CTC'");
  expect_refused("/model/unk_token", "nothing", "a token of the vocabulary");
  expect_refused("/model/max_input_chars_per_word", 1'000'000, "max_input_chars_per_word");
  expect_refused("/model/vocab/x", 4, "each id once");
  expect_refused("/added_tokens/0/id", 7, "gives '[PAD]'");
}

TEST(Tokenizer, PatternsThatBothLibrariesReadDifferentlyAreRefused) {
  for (const char* pattern : {"\\bx", "(?<name>x)", "[a&&b]", "[a[b]]", "(x)\\1", "\\p{Greek}",
                              "x{,3}", "x{3}+", "(?m:x)", "\\X", "[\\W]", "\\xE9"}) {
    EXPECT_THROW((void)detail::translated_pattern(pattern, "test"), BundleError) << pattern;
  }
}

TEST(Tokenizer, HostileFilesAreRefused) {
  const std::string out_of_vocabulary =
      R"({"model": {"type": "BPE", "vocab": {}, "merges": ["a b"]}})";
  for (const std::string& text : {std::string(), std::string(1'000'000, '['), std::string("{}"),
                                  std::string("\xff"), std::string("null"), out_of_vocabulary}) {
    EXPECT_THROW(tokenizer_of(text), BundleError);
  }
}

}  // namespace
}  // namespace plait
