// bundle_writer.hpp: writes small bundles and archives in memory, right ones and wrong ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plait::testing {

using Bytes = std::vector<std::byte>;
/// Name and contents, in the archive's order.
using MemberList = std::vector<std::pair<std::string, std::string>>;

struct ArchiveOptions {
  bool align = true;              ///< data starts at multiples of 64 bytes
  bool deflate = false;           ///< compressed instead of stored
  std::string archive_comment{};  ///< behind the directory
  std::string member_comment{};   ///< in every directory entry
};

/// A ZIP archive of these members, written by minizip.
Bytes write_archive(const MemberList& members, const ArchiveOptions& options = {});

/// Where the ZIP records of an archive that write_archive made begin: for patching bytes.
struct ArchivePositions {
  std::vector<std::size_t> local_headers;
  std::vector<std::size_t> directory_entries;
  std::size_t end_record = 0;
};
ArchivePositions positions_of(const Bytes& archive);

/// Writes a little-endian number of `count` bytes.
void patch(Bytes& bytes, std::size_t position, std::uint64_t value, std::size_t count);

/// A manifest that uses all of the format: two modalities (one mounted upside down, in other
/// units, channels last), heads of all three kinds, two precisions, quality, golden cases.
nlohmann::json example_manifest();
/// The same with a camera in place of the wrist.
nlohmann::json frame_manifest();
/// The same with a microphone.
nlohmann::json sound_manifest();
/// The same with a LiDAR.
nlohmann::json points_manifest();
/// The members both name, with contents of odd sizes, one of them empty.
MemberList example_members();

/// The manifest's "members" from what they hold.
nlohmann::json hashes_of(const MemberList& members);
/// manifest.json first, then the members.
Bytes write_bundle(const std::string& manifest, const MemberList& members);
/// The example, whole and right.
Bytes example_bundle();

}  // namespace plait::testing
