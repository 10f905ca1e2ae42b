// trie.cpp: filling a trie.
#include "preprocess/text/trie.hpp"

namespace plait::detail {

Trie::Trie() : edges_(16, Edge{kEmpty, 0}), values_(1, kNone), starts_(256, false) {}

void Trie::insert(std::uint64_t key, std::uint32_t node) {
  std::size_t slot = slot_of(key);
  while (edges_[slot].key != kEmpty) slot = (slot + 1) & (edges_.size() - 1);
  edges_[slot] = {key, node};
}

void Trie::add(std::string_view key, std::uint32_t value) {
  std::uint32_t node = 0;
  for (const char byte : key) {
    std::uint32_t next = step(node, byte);
    if (next == kNone) {
      next = static_cast<std::uint32_t>(values_.size());
      values_.push_back(kNone);
      if (values_.size() * 2 > edges_.size()) {
        std::vector<Edge> before(edges_.size() * 2, Edge{kEmpty, 0});
        before.swap(edges_);
        for (const Edge& edge : before) {
          if (edge.key != kEmpty) insert(edge.key, edge.node);
        }
      }
      insert(edge(node, byte), next);
    }
    node = next;
  }
  if (!key.empty()) starts_[static_cast<unsigned char>(key.front())] = true;
  if (values_[node] == kNone) values_[node] = value;
}

}  // namespace plait::detail
