// presence.hpp: the presence contract: what a caller must say, and what a head may do without.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "plait/manifest.hpp"
#include "plait/model.hpp"

namespace plait::detail {

/// Names every modality of a bundle in the bundle's order. Immutable, so thread-safe.
class PresenceContract {
 public:
  PresenceContract(const Manifest& manifest, std::string bundle);

  /// Position of a modality. Throws SampleError for a name the bundle does not have.
  std::size_t index_of(std::string_view modality) const;

  /// Calls visit(index, item) for each item. Throws SampleError unless every modality is named
  /// exactly once. seen is scratch of modality count.
  template <typename Item, typename Visit>
  void match(std::span<const Item> items, std::span<char> seen, Visit visit) const {
    for (char& mark : seen) mark = 0;
    for (const Item& item : items) {
      const std::size_t index = index_of(item.modality);
      if (seen[index] != 0) refuse_twice(index);
      seen[index] = 1;
      visit(index, item);
    }
    for (std::size_t index = 0; index < seen.size(); ++index) {
      if (seen[index] == 0) refuse_unsaid(index);
    }
  }

  /// Throws SampleError when nothing is present, or a modality no head can do without is absent.
  void check(std::span<const Presence> presence) const;

 private:
  [[noreturn]] void refuse_twice(std::size_t index) const;
  [[noreturn]] void refuse_unsaid(std::size_t index) const;

  const Manifest& manifest_;
  std::string bundle_;
};

}  // namespace plait::detail
