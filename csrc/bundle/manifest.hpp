// bundle/manifest.hpp: from the text of manifest.json to a checked Manifest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plait/manifest.hpp"

namespace plait::detail {

// What no sensible bundle exceeds: an altered number must not become an allocation of gigabytes.
inline constexpr std::size_t kMaxModalities = 10;
inline constexpr std::size_t kMaxHeads = 64;
inline constexpr std::size_t kMaxGraphs = kMaxModalities + kMaxHeads;
inline constexpr std::size_t kMaxVariants = 32;
inline constexpr std::size_t kMaxRows = 65536;  ///< of quality; also labels, golden cases
inline constexpr std::int64_t kMaxChannels = 4096;
inline constexpr std::int64_t kMaxWindow = 10'000'000;
inline constexpr std::int64_t kMaxSide = 16384;         ///< pixels of a resized frame
inline constexpr std::int64_t kMaxPixels = 33'000'000;  ///< of a resized frame, three channels each
inline constexpr std::int64_t kMaxElements = 100'000'000;  ///< of any tensor of one sample

/// Parses and checks a manifest, every cross reference included. where names the document in
/// errors ("watch.plait, manifest.json"). Throws BundleError.
Manifest parse_manifest(std::string_view text, const std::string& where);

}  // namespace plait::detail
