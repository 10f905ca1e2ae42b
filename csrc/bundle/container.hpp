// bundle/container.hpp: a bundle's archive: names and where their bytes lie in the mapping.
//
// The reader trusts nothing. It accepts the one layout that bundles have, and only that: stored
// members one after the other from the first byte of the file, each starting at a multiple of 64
// bytes, then the directory, then the end. What is compressed, encrypted, overlapping, hidden
// between members, put in front or appended is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace plait::detail {

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::uint64_t kMemberAlignment = 64;
/// Longer archives need the ZIP64 form, whose sizes and offsets Debian's minizip 1.1 does not read:
/// it looks for 2^64 - 1 where the format has 2^32 - 1.
inline constexpr std::uint64_t kMaxArchiveBytes = 0xffff'fffe;
inline constexpr std::uint64_t kMaxManifestBytes = 16ULL << 20;
inline constexpr std::uint64_t kMaxMembers = 16384;
inline constexpr std::size_t kMaxMemberName = 512;

struct Container {
  std::string_view manifest;  ///< text of manifest.json, its CRC-32 checked
  /// All other members.
  std::map<std::string, std::span<const std::byte>, std::less<>> members;
};

/// Finds the members of an archive. No bytes are copied: all views point into archive. where is
/// the bundle's name, for errors. Throws BundleError.
Container read_container(std::span<const std::byte> archive, const std::string& where);

/// Whether a member may be called so: relative, printable ASCII without backslash and colon, no
/// empty, "." or ".." part.
bool is_member_name(std::string_view name) noexcept;

}  // namespace plait::detail
