// bpe.cpp: byte-pair encoding (Sennrich et al., Neural Machine Translation of Rare Words, 2016).
//
// The merges of a word wait in a heap, so that a long word costs n log n.
#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>

#include "base/quote.hpp"
#include "preprocess/text/model.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestToken = 65536;
constexpr std::size_t kMostMerges = std::size_t{1} << 22U;

struct MergeRule {
  std::uint32_t rank;
  TokenId merged;
};

/// (left id, right id) -> rule, by open addressing.
class MergeTable {
 public:
  explicit MergeTable(std::size_t merges)
      : slots_(std::bit_ceil(std::max<std::size_t>(merges * 2, 16)), Slot{kEmpty, {}}) {}

  /// A later rule for the same pair takes the place of an earlier one.
  void set(TokenId left, TokenId right, MergeRule rule) {
    const std::uint64_t pair = key(left, right);
    std::size_t slot = slot_of(pair);
    while (slots_[slot].pair != kEmpty && slots_[slot].pair != pair) slot = next(slot);
    slots_[slot] = {pair, rule};
  }

  const MergeRule* find(TokenId left, TokenId right) const noexcept {
    const std::uint64_t pair = key(left, right);
    std::size_t slot = slot_of(pair);
    while (slots_[slot].pair != kEmpty) {
      if (slots_[slot].pair == pair) return &slots_[slot].rule;
      slot = next(slot);
    }
    return nullptr;
  }

 private:
  static constexpr std::uint64_t kEmpty = UINT64_MAX;
  struct Slot {
    std::uint64_t pair;
    MergeRule rule;
  };

  static std::uint64_t key(TokenId left, TokenId right) noexcept {
    return std::uint64_t{left} << 32U | right;
  }
  std::size_t slot_of(std::uint64_t pair) const noexcept {
    const std::uint64_t mixed = pair * 0x9E3779B97F4A7C15ULL;
    return (mixed ^ mixed >> 32U) & (slots_.size() - 1);
  }
  std::size_t next(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

  std::vector<Slot> slots_;
};

/// Order of the heap, whose top is the greatest.
bool later(const BpeMerge& a, const BpeMerge& b) noexcept {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

class Bpe final : public TextModel {
 public:
  Bpe(const json& section, const std::string& where)
      : TextModel(where), merges_(section.contains("merges") ? section["merges"].size() : 0) {
    const JsonReader reader(section, where, "model");
    if (section.contains("dropout") && !section["dropout"].is_null() &&
        reader.field("dropout").number(0.0, 1.0) != 0.0) {
      reader.fail("no dropout", "dropout, which makes ids random",
                  "Set model.dropout of the tokenizer to null.");
    }
    vocabulary_ = read_vocabulary(reader.field("vocab"), section["vocab"], kLongestToken);
    prefix_ = text_or_none(reader, section, "continuing_subword_prefix");
    suffix_ = text_or_none(reader, section, "end_of_word_suffix");
    fuse_unknown_ = flag(reader, section, "fuse_unk", false);
    byte_fallback_ = flag(reader, section, "byte_fallback", false);
    ignore_merges_ = flag(reader, section, "ignore_merges", false);
    const std::string unknown = text_or_none(reader, section, "unk_token");
    if (!unknown.empty()) {
      unknown_ = vocabulary_.id_of(unknown);
      if (!unknown_) reader.field("unk_token").fail("a token of the vocabulary", quote(unknown));
    }
    for (unsigned int byte = 0; byte < 256; ++byte) {
      bytes_[byte] = vocabulary_.id_of(byte_token(static_cast<unsigned char>(byte)));
    }
    read_merges(reader.field("merges"), section["merges"]);
  }

  void tokenize(std::string_view word, ModelScratch& scratch,
                std::vector<TokenId>& ids) const override {
    if (ignore_merges_) {
      if (const auto id = vocabulary_.id_of(word)) {
        ids.push_back(*id);
        return;
      }
    }
    begin(word, scratch);
    merge(scratch);
    for (const BpeSymbol& symbol : scratch.symbols) {
      if (symbol.alive) ids.push_back(symbol.id);
    }
  }

 private:
  void read_merges(const JsonReader& reader, const json& value) {
    if (!value.is_array() || value.size() > kMostMerges) {
      reader.fail("a list of at most " + std::to_string(kMostMerges) + " merges");
    }
    std::string merged;
    std::uint32_t rank = 0;
    for (const json& rule : value) {
      const auto [left, right] = halves(reader, rule, rank);
      merged = left;
      if (right.size() < prefix_.size()) {
        reader.fail("right halves with the prefix " + quote(prefix_), quote(right));
      }
      merged += right.substr(prefix_.size());
      const auto left_id = vocabulary_.id_of(left);
      const auto right_id = vocabulary_.id_of(right);
      const auto merged_id = vocabulary_.id_of(merged);
      if (!left_id || !right_id || !merged_id) {
        reader.fail("merges of tokens into a token of the vocabulary",
                    "merge " + std::to_string(rank) + ", " + quote(left) + " and " + quote(right));
      }
      merges_.set(*left_id, *right_id, {rank++, *merged_id});
    }
  }

  /// "left right" or ["left", "right"].
  static std::pair<std::string_view, std::string_view> halves(const JsonReader& reader,
                                                              const json& rule,
                                                              std::uint32_t rank) {
    if (rule.is_string()) {
      const std::string_view both = rule.get_ref<const std::string&>();
      const std::size_t space = both.find(' ');
      if (space != std::string_view::npos && both.find(' ', space + 1) == std::string_view::npos) {
        return {both.substr(0, space), both.substr(space + 1)};
      }
    } else if (rule.is_array() && rule.size() == 2 && rule[0].is_string() && rule[1].is_string()) {
      return {rule[0].get_ref<const std::string&>(), rule[1].get_ref<const std::string&>()};
    }
    reader.fail("merges such as \"a b\" or [\"a\", \"b\"]",
                "merge " + std::to_string(rank) + ", " + quote(rule.dump()));
  }

  static void add(TokenId id, ModelScratch& scratch) {
    const auto index = static_cast<std::int32_t>(scratch.symbols.size());
    if (index > 0) scratch.symbols.back().next = index;
    scratch.symbols.push_back({id, index - 1, -1, true});
  }

  /// One symbol a character, where the vocabulary has it; else its bytes, the unknown, or nothing.
  void begin(std::string_view word, ModelScratch& scratch) const {
    scratch.symbols.clear();
    bool unknown_waits = false;
    for (std::size_t position = 0; position < word.size();) {
      const std::size_t start = position;
      position += utf8_length(word[position]);
      std::string_view character = word.substr(start, position - start);
      const bool prefixed = start > 0 && !prefix_.empty();
      const bool suffixed = position == word.size() && !suffix_.empty();
      if (prefixed || suffixed) {
        scratch.text = prefixed ? prefix_ : "";
        scratch.text += character;
        if (suffixed) scratch.text += suffix_;
        character = scratch.text;
      }
      if (const auto id = vocabulary_.id_of(character)) {
        if (unknown_waits) add(*unknown_, scratch);
        unknown_waits = false;
        add(*id, scratch);
        continue;
      }
      if (byte_fallback_ && fall_back(character, scratch)) continue;
      if (!unknown_) continue;
      if (unknown_waits && !fuse_unknown_) add(*unknown_, scratch);
      unknown_waits = true;
    }
    if (unknown_waits) add(*unknown_, scratch);
  }

  bool fall_back(std::string_view character, ModelScratch& scratch) const {
    for (const char byte : character) {
      if (!bytes_[static_cast<unsigned char>(byte)]) return false;
    }
    for (const char byte : character) add(*bytes_[static_cast<unsigned char>(byte)], scratch);
    return true;
  }

  void merge(ModelScratch& scratch) const {
    std::vector<BpeSymbol>& symbols = scratch.symbols;
    std::vector<BpeMerge>& heap = scratch.merges;
    heap.clear();
    const auto offer = [&](std::int32_t left, std::int32_t right) {
      const MergeRule* rule = merges_.find(symbols[static_cast<std::size_t>(left)].id,
                                           symbols[static_cast<std::size_t>(right)].id);
      if (rule == nullptr) return;
      heap.push_back({rule->rank, left, rule->merged});
      std::push_heap(heap.begin(), heap.end(), later);
    };
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      offer(static_cast<std::int32_t>(i), static_cast<std::int32_t>(i + 1));
    }
    while (!heap.empty()) {
      const BpeMerge top = heap.front();
      std::pop_heap(heap.begin(), heap.end(), later);
      heap.pop_back();
      BpeSymbol& left = symbols[static_cast<std::size_t>(top.position)];
      if (!left.alive || left.next < 0) continue;
      BpeSymbol& right = symbols[static_cast<std::size_t>(left.next)];
      // Either half may have been merged since. As in tokenizers, another pair that gives the same
      // token goes through.
      const MergeRule* rule = merges_.find(left.id, right.id);
      if (rule == nullptr || rule->merged != top.merged) continue;
      left.id = top.merged;
      right.alive = false;
      left.next = right.next;
      if (right.next >= 0) symbols[static_cast<std::size_t>(right.next)].previous = top.position;
      if (left.previous >= 0) offer(left.previous, top.position);
      if (left.next >= 0) offer(top.position, left.next);
    }
  }

  MergeTable merges_;
  std::string prefix_;
  std::string suffix_;
  std::array<std::optional<TokenId>, 256> bytes_{};
  std::optional<TokenId> unknown_;
  bool fuse_unknown_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
};

}  // namespace

std::unique_ptr<TextModel> make_bpe(const json& section, const std::string& where) {
  return std::make_unique<Bpe>(section, where);
}

}  // namespace plait::detail
