// presence.cpp: holds callers to the presence contract.
#include "runtime/presence.hpp"

#include <algorithm>

#include "plait/error.hpp"

namespace plait {

std::string_view name_of(Presence presence) noexcept {
  switch (presence) {
    case Presence::kAbsent:
      return "absent";
    case Presence::kFresh:
      return "fresh";
    case Presence::kCached:
      return "cached";
  }
  return "unknown";
}

namespace detail {
namespace {

std::string list_of(const Manifest& manifest) {
  std::string list;
  for (const ModalityDescription& modality : manifest.modalities) {
    list += (list.empty() ? "" : ", ") + modality.name;
  }
  return list;
}

}  // namespace

PresenceContract::PresenceContract(const Manifest& manifest, std::string bundle)
    : manifest_(manifest), bundle_(std::move(bundle)) {}

std::size_t PresenceContract::index_of(std::string_view modality) const {
  for (std::size_t index = 0; index < manifest_.modalities.size(); ++index) {
    if (manifest_.modalities[index].name == modality) return index;
  }
  throw SampleError({.where = bundle_,
                     .expected = "a modality of this bundle (" + list_of(manifest_) + ")",
                     .got = "'" + std::string(modality) + "'",
                     .action = "`plait inspect` shows what the bundle takes."});
}

void PresenceContract::check(std::span<const Presence> presence) const {
  const auto absent = [](Presence p) { return p == Presence::kAbsent; };
  if (std::all_of(presence.begin(), presence.end(), absent)) {
    throw SampleError({.where = bundle_,
                       .expected = "at least one present modality of " + list_of(manifest_),
                       .got = "none",
                       .action = "Ask for an answer only while a sensor lives."});
  }
  for (std::size_t index = 0; index < presence.size(); ++index) {
    const ModalityDescription& modality = manifest_.modalities[index];
    if (absent(presence[index]) && modality.when_missing == WhenMissing::kRefuse) {
      throw SampleError({.where = bundle_ + ", modality " + modality.name,
                         .expected = "a sample: the bundle gives no answer without it",
                         .got = "absent",
                         .action = "Wait for the sensor, or export with when_missing='learned' or "
                                   "'mask' after training with modality dropout."});
    }
  }
}

void PresenceContract::refuse_twice(std::size_t index) const {
  throw SampleError({.where = bundle_ + ", modality " + manifest_.modalities[index].name,
                     .expected = "to be named once",
                     .got = "twice",
                     .action = "Pass one sample a modality."});
}

void PresenceContract::refuse_unsaid(std::size_t index) const {
  const std::string& name = manifest_.modalities[index].name;
  throw SampleError({.where = bundle_ + ", modality " + name,
                     .expected = "a sample, or the declaration that it is absent",
                     .got = "neither",
                     .action = "Say " + name + "=None where the sensor has nothing to give."});
}

}  // namespace detail
}  // namespace plait
