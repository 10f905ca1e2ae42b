// unigram.cpp: the unigram language model (Kudo, Subword Regularization, 2018): the most probable
// pieces of a text, by Viterbi over its bytes.
#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/quote.hpp"
#include "preprocess/text/model.hpp"
#include "preprocess/text/trie.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

using nlohmann::json;

constexpr double kUnknownPenalty = 10.0;  // below the least probable piece, as in SentencePiece

class Unigram final : public TextModel {
 public:
  Unigram(const json& section, const std::string& where) : TextModel(where) {
    const JsonReader reader(section, where, "model");
    byte_fallback_ = flag(reader, section, "byte_fallback", false);
    read_pieces(reader.field("vocab"), section["vocab"]);
    if (section.contains("unk_id") && !section["unk_id"].is_null()) {
      const auto most = static_cast<std::int64_t>(scores_.size()) - 1;
      unknown_ = static_cast<TokenId>(reader.field("unk_id").integer(0, most));
    }
    for (unsigned int byte = 0; byte < 256; ++byte) {
      bytes_[byte] = vocabulary_.id_of(byte_token(static_cast<unsigned char>(byte)));
    }
  }

  void tokenize(std::string_view text, ModelScratch& scratch,
                std::vector<TokenId>& ids) const override {
    find_best(text, scratch.nodes);
    collect(text, scratch);
    for (auto piece = scratch.pieces.rbegin(); piece != scratch.pieces.rend(); ++piece) {
      append(text.substr(piece->first, piece->second - piece->first), ids);
    }
  }

 private:
  void read_pieces(const JsonReader& reader, const json& value) {
    if (!value.is_array() || value.size() > kMostTokens) {
      reader.fail("a list of at most " + std::to_string(kMostTokens) + " pieces");
    }
    vocabulary_ = Vocabulary(value.size());
    for (const json& piece : value) {
      const bool good = piece.is_array() && piece.size() == 2 && piece[0].is_string() &&
                        piece[1].is_number() &&
                        piece[0].get_ref<const std::string&>().size() <= kLongestSearched;
      if (!good) {
        reader.fail("pieces such as [\"a\", -1.5] of at most " + std::to_string(kLongestSearched) +
                        " bytes",
                    quote(piece.dump()));
      }
      const auto& text = piece[0].get_ref<const std::string&>();
      const auto id = static_cast<TokenId>(scores_.size());
      if (!vocabulary_.add(text, id)) reader.fail("each piece once", quote(text) + " twice");
      if (!text.empty()) pieces_.add(text, id);
      scores_.push_back(piece[1].get<double>());
      least_ = std::min(least_, scores_.back());
    }
  }

  void find_best(std::string_view text, std::vector<UnigramNode>& nodes) const {
    nodes.assign(text.size() + 1, {0.0, 0, -1});
    const auto offer = [&](std::size_t begin, std::size_t end, TokenId id, double score) {
      UnigramNode& node = nodes[end];
      if (node.begin >= 0 && score <= node.score) return;
      node = {score, id, static_cast<std::int64_t>(begin)};
    };
    for (std::size_t begin = 0; begin < text.size();) {
      const double reached = nodes[begin].score;
      const std::size_t character = utf8_length(text[begin]);
      bool single = false;
      std::uint32_t node = 0;
      for (std::size_t end = begin; end < text.size();) {
        node = pieces_.step(node, text[end++]);
        if (node == Trie::kNone) break;
        const std::uint32_t id = pieces_.value(node);
        if (id == Trie::kNone) continue;
        offer(begin, end, id, scores_[id] + reached);
        single = single || end - begin == character;
      }
      if (!single) {
        if (!unknown_) refuse_unknown(text.substr(begin, character));
        offer(begin, begin + character, *unknown_, least_ - kUnknownPenalty + reached);
      }
      begin += character;
    }
  }

  /// The best pieces from the last to the first; neighbouring unknown ones are one.
  void collect(std::string_view text, ModelScratch& scratch) const {
    scratch.pieces.clear();
    bool after_unknown = false;
    for (std::size_t end = text.size(); end > 0;) {
      const UnigramNode& node = scratch.nodes[end];
      const auto begin = static_cast<std::size_t>(node.begin);
      const bool unknown = unknown_ && node.id == *unknown_;
      if (unknown && after_unknown) {
        scratch.pieces.back().first = begin;
      } else {
        scratch.pieces.emplace_back(begin, end);
      }
      after_unknown = unknown;
      end = begin;
    }
  }

  void append(std::string_view piece, std::vector<TokenId>& ids) const {
    if (const auto id = vocabulary_.id_of(piece)) {
      ids.push_back(*id);
      return;
    }
    const auto has_token = [&](char byte) {
      return bytes_[static_cast<unsigned char>(byte)].has_value();
    };
    if (byte_fallback_ && std::all_of(piece.begin(), piece.end(), has_token)) {
      for (const char byte : piece) ids.push_back(*bytes_[static_cast<unsigned char>(byte)]);
      return;
    }
    if (!unknown_) refuse_unknown(piece);
    ids.push_back(*unknown_);
  }

  Trie pieces_;
  std::vector<double> scores_;
  std::array<std::optional<TokenId>, 256> bytes_{};
  double least_ = std::numeric_limits<double>::infinity();
  std::optional<TokenId> unknown_;
  bool byte_fallback_ = false;
};

}  // namespace

std::unique_ptr<TextModel> make_unigram(const json& section, const std::string& where) {
  return std::make_unique<Unigram>(section, where);
}

}  // namespace plait::detail
