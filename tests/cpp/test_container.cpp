// test_container.cpp: the archive reader takes what bundles are, and refuses all else by name.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "bundle/container.hpp"
#include "bundle_writer.hpp"
#include "plait/error.hpp"

namespace plait {
namespace {

using detail::Container;
using detail::read_container;
using testing::ArchivePositions;
using testing::Bytes;
using testing::MemberList;
using testing::patch;
using testing::write_archive;

// Offsets of fields in ZIP records (APPNOTE 6.3.10).
constexpr std::size_t kLocalFlags = 6;
constexpr std::size_t kLocalName = 30;
constexpr std::size_t kEntryFlags = 8;
constexpr std::size_t kEntryMethod = 10;
constexpr std::size_t kEntryCrc = 16;
constexpr std::size_t kEntryCompressed = 20;
constexpr std::size_t kEntryUncompressed = 24;
constexpr std::size_t kEntryNameSize = 28;
constexpr std::size_t kEntryOffset = 42;
constexpr std::size_t kEntryName = 46;
constexpr std::size_t kEndEntriesHere = 8;
constexpr std::size_t kEndEntries = 10;
constexpr std::size_t kEndDirectoryBytes = 12;
constexpr std::size_t kEndDirectoryOffset = 16;

const MemberList kMembers = {{"manifest.json", "{\"a\": 1}"},
                             {"graphs/one.onnx", std::string(1001, '1')},
                             {"graphs/none.onnx", ""},
                             {"golden/0/x.npy", std::string(63, 'x')}};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The message of the BundleError that reading ends in; empty when it is taken.
std::string refusal_of(const Bytes& archive) {
  try {
    read_container(archive, "test.plait");
    return "";
  } catch (const BundleError& error) {
    return error.what();
  }
}

void expect_refused(const Bytes& archive, const std::string& reason) {
  const std::string refusal = refusal_of(archive);
  EXPECT_NE(refusal.find("test.plait"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find(reason), std::string::npos) << "refused otherwise: " << refusal;
}

/// The good archive after a change of its bytes.
Bytes changed(const std::function<void(Bytes&, const ArchivePositions&)>& change) {
  Bytes archive = write_archive(kMembers);
  change(archive, testing::positions_of(archive));
  return archive;
}

TEST(Container, gives_every_member_as_a_view_into_the_archive) {
  const Bytes archive = write_archive(kMembers);
  const Container container = read_container(archive, "test.plait");
  EXPECT_EQ(container.manifest, kMembers[0].second);
  ASSERT_EQ(container.members.size(), kMembers.size() - 1);
  for (std::size_t index = 1; index < kMembers.size(); ++index) {
    const auto& [name, contents] = kMembers[index];
    const std::span<const std::byte> bytes = container.members.at(name);
    EXPECT_EQ(text_of(bytes), contents);
    EXPECT_GE(bytes.data(), archive.data());
    EXPECT_LE(bytes.data() + bytes.size(), archive.data() + archive.size());
    EXPECT_EQ((bytes.data() - archive.data()) % 64, 0);
  }
}

TEST(Container, takes_comments_and_dates_that_carry_no_bytes_of_members) {
  EXPECT_EQ(refusal_of(write_archive(kMembers, {.member_comment = "a comment"})), "");
}

TEST(Container, refuses_the_zip64_form) {
  Bytes archive = write_archive(kMembers);
  const ArchivePositions at = testing::positions_of(archive);
  Bytes record(56 + 20);
  patch(record, 0, 0x06064b50, 4);
  patch(record, 4, 44, 8);
  patch(record, 24, kMembers.size(), 8);
  patch(record, 32, kMembers.size(), 8);
  patch(record, 40, at.end_record - at.directory_entries[0], 8);
  patch(record, 48, at.directory_entries[0], 8);
  patch(record, 56, 0x07064b50, 4);
  patch(record, 64, at.end_record, 8);
  patch(record, 72, 1, 4);
  archive.insert(archive.end() - 22, record.begin(), record.end());
  expect_refused(archive, "the directory between the last member and the end");
}

TEST(Container, refuses_what_is_no_archive) {
  expect_refused({}, "expected a ZIP archive that ends where the file ends, got 0 bytes");
  expect_refused(Bytes(21), "got 21 bytes");
  expect_refused(Bytes(22), "got 22 bytes");
  expect_refused(Bytes(100'000, std::byte{0x50}), "ends where the file ends");
}

TEST(Container, refuses_every_truncation) {
  const Bytes archive = write_archive(kMembers);
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const Bytes part(archive.begin(), archive.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_NE(refusal_of(part), "") << size << " of " << archive.size() << " bytes";
  }
}

TEST(Container, refuses_bytes_in_front_and_behind) {
  const Bytes archive = write_archive(kMembers);
  for (const std::size_t count : {1, 22, 64, 4096, 70'000}) {
    Bytes behind = archive;
    behind.resize(behind.size() + count);
    expect_refused(behind, "ends where the file ends");
    Bytes front(count);
    front.insert(front.end(), archive.begin(), archive.end());
    EXPECT_NE(refusal_of(front), "") << count;
  }
  expect_refused(write_archive(kMembers, {.archive_comment = "words"}), "ends where the file ends");
  Bytes twice = archive;
  twice.insert(twice.end(), archive.begin(), archive.end());
  EXPECT_NE(refusal_of(twice), "");
}

TEST(Container, refuses_compression) {
  expect_refused(write_archive(kMembers, {.deflate = true}), "a stored member");
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.directory_entries[1] + kEntryMethod, 8, 2);
                 }),
                 "compression method 8");
}

TEST(Container, refuses_encryption_and_data_descriptors) {
  for (const auto& [flag, reason] : {std::pair{1, "encrypted"}, {8, "flags 8"}, {64, "flags 64"}}) {
    expect_refused(changed([flag = flag](Bytes& bytes, const ArchivePositions& at) {
                     patch(bytes, at.directory_entries[1] + kEntryFlags, flag, 2);
                     patch(bytes, at.local_headers[1] + kLocalFlags, flag, 2);
                   }),
                   reason);
  }
}

TEST(Container, refuses_misaligned_members) {
  expect_refused(write_archive(kMembers, {.align = false}), "multiple of 64");
}

TEST(Container, refuses_sizes_that_leave_the_file_or_disagree) {
  for (const std::uint64_t size : {1002, 2000, 65536, 0x7fffffff}) {
    EXPECT_NE(refusal_of(changed([&](Bytes& bytes, const ArchivePositions& at) {
                for (const std::size_t entry : {at.directory_entries[1], at.local_headers[1] - 2}) {
                  patch(bytes, entry + kEntryCompressed, size, 4);
                  patch(bytes, entry + kEntryUncompressed, size, 4);
                }
              })),
              "")
        << size;
  }
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.directory_entries[1] + kEntryUncompressed, 1'000'000'000, 4);
                   patch(bytes, at.local_headers[1] - 2 + kEntryUncompressed, 1'000'000'000, 4);
                 }),
                 "1001 bytes for 1000000000");
}

TEST(Container, refuses_members_that_overlap) {
  // Two entries that share one header and its bytes: how small files unpack to large ones.
  MemberList members = kMembers;
  members[3] = {"graphs/two.onnx", std::string(1001, '1')};
  Bytes archive = write_archive(members);
  const ArchivePositions at = testing::positions_of(archive);
  patch(archive, at.directory_entries[3] + kEntryOffset, at.local_headers[1], 4);
  expect_refused(archive, "");
}

TEST(Container, refuses_bytes_hidden_between_members) {
  // The second member's entry is taken out of the directory; its bytes stay.
  Bytes archive = write_archive(kMembers);
  const ArchivePositions at = testing::positions_of(archive);
  const std::size_t entry_bytes = at.directory_entries[2] - at.directory_entries[1];
  archive.erase(archive.begin() + static_cast<std::ptrdiff_t>(at.directory_entries[1]),
                archive.begin() + static_cast<std::ptrdiff_t>(at.directory_entries[2]));
  const std::size_t end = at.end_record - entry_bytes;
  patch(archive, end + kEndEntriesHere, 3, 2);
  patch(archive, end + kEndEntries, 3, 2);
  patch(archive, end + kEndDirectoryBytes, end - at.directory_entries[0], 4);
  expect_refused(archive, "right after the last");
}

TEST(Container, refuses_entries_hidden_in_the_directory) {
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.end_record + kEndEntriesHere, 3, 2);
                   patch(bytes, at.end_record + kEndEntries, 3, 2);
                 }),
                 "the directory between the last member and the end");
}

TEST(Container, refuses_wrong_counts_and_offsets) {
  for (const std::uint64_t count : {0, 5, 16384, 16385, 65534, 65535}) {
    EXPECT_NE(refusal_of(changed([&](Bytes& bytes, const ArchivePositions& at) {
                patch(bytes, at.end_record + kEndEntriesHere, count, 2);
                patch(bytes, at.end_record + kEndEntries, count, 2);
              })),
              "")
        << count;
  }
  for (const std::size_t field : {kEndDirectoryBytes, kEndDirectoryOffset}) {
    for (const std::uint64_t value : {0U, 1U, 4096U, 0xfffffffeU, 0xffffffffU}) {
      EXPECT_NE(refusal_of(changed([&](Bytes& bytes, const ArchivePositions& at) {
                  patch(bytes, at.end_record + field, value, 4);
                })),
                "")
          << field << " " << value;
    }
  }
}

TEST(Container, refuses_names_twice) {
  MemberList members = kMembers;
  members.emplace_back("graphs/one.onnx", "other");
  expect_refused(write_archive(members), "each name once");
  members = kMembers;
  members.emplace_back("manifest.json", "{}");
  expect_refused(write_archive(members), "each name once");
}

TEST(Container, refuses_names_that_leave_the_archive_or_hide) {
  for (const std::string name : {"/etc/passwd", "../up", "a/../../b", "a//b", "a/", "./a", "a/.",
                                 "..", "c:\\x", "a\\b", "new\nline", "caf\xc3\xa9", "\xff"}) {
    EXPECT_FALSE(detail::is_member_name(name)) << name;
    MemberList members = kMembers;
    members.emplace_back(name, "contents");
    expect_refused(write_archive(members), "relative names of printable characters");
  }
  for (const std::string name : {"a", "a b", "..a", "a..b/c", "...", "graphs/x.fp32.onnx"}) {
    EXPECT_TRUE(detail::is_member_name(name)) << name;
  }
  EXPECT_FALSE(detail::is_member_name(""));
  EXPECT_FALSE(detail::is_member_name(std::string("a\0b", 3)));
  EXPECT_TRUE(detail::is_member_name(std::string(512, 'n')));
  EXPECT_FALSE(detail::is_member_name(std::string(513, 'n')));
}

TEST(Container, refuses_names_with_nul_or_too_long) {
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.directory_entries[1] + kEntryName + 3, 0, 1);
                   patch(bytes, at.local_headers[1] + kLocalName + 3, 0, 1);
                 }),
                 "gra\\x00hs");
  MemberList members = kMembers;
  members.emplace_back(std::string(513, 'n'), "contents");
  expect_refused(write_archive(members), "at most 512 bytes");
  EXPECT_NE(refusal_of(changed([](Bytes& bytes, const ArchivePositions& at) {
              patch(bytes, at.directory_entries[1] + kEntryNameSize, 0xffff, 2);
            })),
            "");
}

TEST(Container, refuses_a_local_header_that_says_otherwise) {
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.local_headers[1] + kLocalName, 'G', 1);
                 }),
                 "the same name in the local header");
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.local_headers[1], 'X', 1);
                 }),
                 "local header");
}

TEST(Container, refuses_a_manifest_that_is_missing_late_large_or_altered) {
  expect_refused(write_archive({{"a", "b"}}), "manifest.json as the first member, got 'a'");
  expect_refused(write_archive({kMembers[1], kMembers[0]}), "manifest.json as the first member");
  expect_refused(write_archive({{"manifest.json", std::string((16U << 20) + 1, ' ')}}),
                 "at most 16777216 bytes");
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.local_headers[1] - 1, 'X', 1);
                 }),
                 "CRC-32");
  expect_refused(changed([](Bytes& bytes, const ArchivePositions& at) {
                   patch(bytes, at.directory_entries[0] + kEntryCrc, 1, 4);
                   patch(bytes, at.local_headers[0] - 2 + kEntryCrc, 1, 4);
                 }),
                 "CRC-32");
}

TEST(Container, refuses_more_members_than_its_limit) {
  MemberList members{{"manifest.json", "{}"}};
  while (members.size() <= detail::kMaxMembers) {
    members.emplace_back(std::to_string(members.size()), "");
  }
  expect_refused(write_archive(members), "at most 16384 members");
  members.pop_back();
  EXPECT_EQ(refusal_of(write_archive(members)), "");
}

}  // namespace
}  // namespace plait
