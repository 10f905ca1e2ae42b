// fuzz_bundle.cpp: any bytes are a bundle or a BundleError; never a crash, a hang, a read outside.
//
// Three kinds of mutation: bytes anywhere (which mostly break the archive), the manifest rewritten
// as other JSON in an archive that stays right, and members changed with their hashes made right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <span>
#include <string>

#include "bundle/container.hpp"
#include "bundle_writer.hpp"
#include "mutate_json.hpp"
#include "plait/bundle.hpp"
#include "plait/error.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using plait::Bundle;
using plait::BundleError;
using plait::testing::Bytes;
using plait::testing::MemberList;

/// Reads every byte of a member, so that the sanitizer sees a span that leaves the memory.
unsigned checksum(std::span<const std::byte> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), 0U, [](unsigned sum, std::byte each) {
    return sum + std::to_integer<unsigned>(each);
  });
}

void use(const Bundle& bundle) {
  volatile unsigned sum = 0;
  for (const auto& [name, description] : bundle.manifest().members) {
    const std::span<const std::byte> bytes = bundle.member(name, false);
    if (bytes.size() != description.bytes) std::abort();
    sum = sum + checksum(bytes);
  }
  bundle.verify();
  for (const auto& [name, description] : bundle.manifest().members) bundle.member(name, true);
}

/// The members of an archive that is right but for its manifest; empty when it is not.
MemberList members_of(std::span<const std::byte> archive) {
  MemberList members;
  try {
    const auto container = plait::detail::read_container(archive, "fuzz");
    for (const auto& [name, bytes] : container.members) {
      members.emplace_back(name,
                           std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    members.insert(members.begin(), {"manifest.json", std::string(container.manifest)});
  } catch (const BundleError&) {
    members.clear();
  }
  return members;
}

void change_member(MemberList& members, std::minstd_rand& random) {
  constexpr std::size_t kRoom = 256;
  if (members.size() < 2) return;
  std::string& contents = members[1 + random() % (members.size() - 1)].second;
  const std::size_t size = contents.size();
  contents.resize(size + kRoom);
  contents.resize(
      LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(contents.data()), size, size + kRoom));
  nlohmann::json manifest = nlohmann::json::parse(members[0].second, nullptr, false);
  if (!manifest.is_object()) return;
  manifest["members"] = plait::testing::hashes_of({members.begin() + 1, members.end()});
  members[0].second = manifest.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    use(Bundle::from_memory(std::as_bytes(std::span(data, size)), "fuzz"));
  } catch (const BundleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  const std::size_t kind = random() % 4;
  MemberList members;
  if (kind >= 2) members = members_of(std::as_bytes(std::span(data, size)));
  if (members.empty()) return LLVMFuzzerMutate(data, size, max_size);
  if (kind == 2) {
    members[0].second = plait::testing::mutate_json(members[0].second, random);
  } else {
    change_member(members, random);
  }
  const Bytes archive = plait::testing::write_archive(members);
  if (archive.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, archive.data(), archive.size());
  return archive.size();
}
