// trie.hpp: byte strings that start at a place of a text, found in one walk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace plait::detail {

/// Nodes are numbers, edges a hash table. Filled once, then immutable and thread-safe.
class Trie {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  Trie();

  /// The value of a key that is there already stays.
  void add(std::string_view key, std::uint32_t value);

  /// The node after one more byte, or kNone; the walk begins at node 0.
  std::uint32_t step(std::uint32_t node, char byte) const noexcept {
    const std::uint64_t wanted = edge(node, byte);
    std::size_t slot = slot_of(wanted);
    while (edges_[slot].key != kEmpty) {
      if (edges_[slot].key == wanted) return edges_[slot].node;
      slot = (slot + 1) & (edges_.size() - 1);
    }
    return kNone;
  }
  /// The value of the key that ends in this node, or kNone.
  std::uint32_t value(std::uint32_t node) const noexcept { return values_[node]; }
  /// Whether any key begins with this byte.
  bool starts(char byte) const noexcept { return starts_[static_cast<unsigned char>(byte)]; }

 private:
  static constexpr std::uint64_t kEmpty = UINT64_MAX;
  struct Edge {
    std::uint64_t key;
    std::uint32_t node;
  };

  static std::uint64_t edge(std::uint32_t node, char byte) noexcept {
    return std::uint64_t{node} << 8U | static_cast<unsigned char>(byte);
  }
  std::size_t slot_of(std::uint64_t key) const noexcept {
    return (key * 0x9E3779B97F4A7C15ULL >> 20U) & (edges_.size() - 1);
  }
  void insert(std::uint64_t key, std::uint32_t node);

  std::vector<Edge> edges_;  // a power of two, at most half full
  std::vector<std::uint32_t> values_;
  std::vector<bool> starts_;
};

}  // namespace plait::detail
