// test_bundle.cpp: opening and verifying whole bundles, from files and from memory.
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bundle_writer.hpp"
#include "plait/bundle.hpp"
#include "plait/error.hpp"

namespace plait {
namespace {

using testing::Bytes;
using testing::example_bundle;
using testing::example_manifest;
using testing::example_members;
using testing::MemberList;
using testing::write_bundle;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What happens: the message of the BundleError, or empty when all went well.
template <typename Action>
std::string refusal_of(const Action& action) {
  try {
    action();
    return "";
  } catch (const BundleError& error) {
    return error.what();
  }
}

void expect_refused(const Bytes& bundle, const std::string& reason) {
  const std::string refusal =
      refusal_of([&] { Bundle::from_memory(bundle, "test.plait").verify(); });
  EXPECT_NE(refusal.find("test.plait"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find(reason), std::string::npos) << "refused otherwise: " << refusal;
}

/// A folder of its own for each test, gone afterwards.
class BundleFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "plait_bundle_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const Bytes& bytes) const {
    std::filesystem::path path = folder_ / name;
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(BundleFile, gives_manifest_and_members_as_they_were_written) {
  const Bundle bundle = Bundle::open(write("some name.plait", example_bundle()));
  bundle.verify();
  EXPECT_EQ(bundle.name(), "some name.plait");
  EXPECT_EQ(bundle.manifest_json(), example_manifest().dump(1));
  EXPECT_EQ(bundle.manifest().name, "example");
  for (const auto& [name, contents] : example_members()) {
    EXPECT_EQ(text_of(bundle.member(name)), contents);
    EXPECT_EQ(bundle.member(name).data(), bundle.member(name, false).data());
  }
}

TEST_F(BundleFile, lives_on_when_the_file_is_removed_and_in_copies) {
  const std::filesystem::path path = write("x.plait", example_bundle());
  std::optional<Bundle> first = Bundle::open(path);
  const Bundle copy = *first;
  first.reset();
  std::filesystem::remove(path);
  copy.verify();
  EXPECT_EQ(text_of(copy.member("graphs/exercise_head.fp32.onnx")), "eeeeeee");
}

TEST_F(BundleFile, refuses_what_cannot_be_read) {
  const auto open = [](const std::filesystem::path& path) {
    return refusal_of([&] { Bundle::open(path); });
  };
  EXPECT_NE(open(folder_ / "none.plait").find("no such file"), std::string::npos);
  EXPECT_NE(open(write("file", {}) / "x").find("no such file"), std::string::npos);
  EXPECT_NE(open(folder_).find("a directory"), std::string::npos);
  EXPECT_NE(open(write("empty.plait", {})).find("an empty file"), std::string::npos);
  EXPECT_NE(open(folder_ / std::string(5000, 'x')).find("expected a readable"), std::string::npos);
  EXPECT_NE(open("/dev/zero").find("no regular file"), std::string::npos);
}

TEST_F(BundleFile, refuses_four_gibibytes_or_more) {
  const std::filesystem::path path = write("large.plait", example_bundle());
  std::filesystem::resize_file(path, 0xffff'ffff);  // a hole, which takes no room on the disk
  EXPECT_NE(refusal_of([&] { Bundle::open(path); }).find("below 4 GiB"), std::string::npos);
}

TEST_F(BundleFile, refuses_a_pipe_without_waiting_for_its_writer) {
  const std::filesystem::path path = folder_ / "pipe.plait";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_NE(refusal_of([&] { Bundle::open(path); }).find("no regular file"), std::string::npos);
}

TEST_F(BundleFile, refuses_a_file_it_may_not_read) {
  const std::filesystem::path path = write("secret.plait", example_bundle());
  std::filesystem::permissions(path, std::filesystem::perms::none);
  // Root may read every file, so this thread asks as nobody while it opens.
  constexpr uid_t kNobody = 65534;
  const bool is_root = ::geteuid() == 0;
  if (is_root) ::setfsuid(kNobody);
  const std::string refusal = refusal_of([&] { Bundle::open(path); });
  if (is_root) ::setfsuid(0);
  EXPECT_NE(refusal.find("who may read"), std::string::npos) << refusal;
}

TEST(Bundle, refuses_members_missing_surplus_or_of_another_size) {
  const std::string manifest = example_manifest().dump();
  MemberList members = example_members();
  members.pop_back();
  expect_refused(write_bundle(manifest, members), "golden/0/fuse.exercise.npy': expected every");
  members = example_members();
  members.emplace_back("surplus.bin", "more");
  expect_refused(write_bundle(manifest, members), "surplus.bin': expected a member that the");
  members = example_members();
  members[0].second += "w";
  expect_refused(write_bundle(manifest, members), "expected 1001 bytes, got 1002");
}

TEST(Bundle, refuses_a_member_whose_bytes_differ) {
  MemberList members = example_members();
  members[1].second[100] = 'j';
  const Bytes bytes = write_bundle(example_manifest().dump(), members);
  expect_refused(bytes, "member 'graphs/wrist_encoder.int8.onnx': expected SHA-256");
  const Bundle bundle = Bundle::from_memory(bytes, "test.plait");
  EXPECT_NE(refusal_of([&] { bundle.member(members[1].first); }), "");
  EXPECT_NE(refusal_of([&] { bundle.member(members[1].first); }), "") << "only the first time";
  EXPECT_EQ(text_of(bundle.member(members[1].first, false)), members[1].second);
  EXPECT_EQ(text_of(bundle.member(members[0].first)), members[0].second);
}

TEST(Bundle, refuses_to_name_what_is_no_member) {
  const Bytes bytes = example_bundle();
  const Bundle bundle = Bundle::from_memory(bytes, "test.plait");
  for (const std::string name : {"", "nothing", "manifest.json", "graphs"}) {
    EXPECT_NE(refusal_of([&] { bundle.member(name, false); }).find("'" + name + "'"),
              std::string::npos);
  }
}

TEST(Bundle, hashes_a_member_once) {
  Bytes bytes = example_bundle();
  const Bundle bundle = Bundle::from_memory(bytes, "test.plait");
  const std::span<const std::byte> member = bundle.member("graphs/wrist_encoder.fp32.onnx");
  bytes[static_cast<std::size_t>(member.data() - bytes.data())] ^= std::byte{1};
  EXPECT_EQ(refusal_of([&] { bundle.member("graphs/wrist_encoder.fp32.onnx"); }), "");
  expect_refused(bytes, "SHA-256");
}

TEST(Bundle, is_verified_from_several_threads_at_once) {
  MemberList members = example_members();
  members[0].second = std::string(1 << 20, 'w');
  nlohmann::json manifest = example_manifest();
  manifest["members"] = testing::hashes_of(members);
  const Bytes bytes = write_bundle(manifest.dump(), members);
  const Bundle bundle = Bundle::from_memory(bytes, "test.plait");
  std::vector<std::thread> threads;
  std::vector<std::string> refusals(4, "not run");
  threads.reserve(refusals.size());
  for (std::string& refusal : refusals) {
    threads.emplace_back([&] { refusal = refusal_of([copy = bundle] { copy.verify(); }); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refusals, std::vector<std::string>(4));
}

TEST(Bundle, refuses_every_changed_byte_or_reads_the_same) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const Bytes good = example_bundle();
  const MemberList members = example_members();
  std::size_t harmless = 0;
  for (std::size_t position = 0; position < good.size(); ++position) {
    Bytes bytes = good;
    const auto mask = std::uniform_int_distribution<unsigned>(1, 255)(random);
    bytes[position] ^= static_cast<std::byte>(mask);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", byte " + std::to_string(position));
    try {
      const Bundle bundle = Bundle::from_memory(bytes, "test.plait");
      bundle.verify();
      ++harmless;
      EXPECT_EQ(bundle.manifest_json(), example_manifest().dump(1));
      for (const auto& [name, contents] : members) {
        EXPECT_EQ(text_of(bundle.member(name)), contents);
      }
    } catch (const BundleError&) {
      continue;
    }
  }
  // Dates, attributes, padding: all else is refused.
  EXPECT_LT(harmless, good.size() / 4) << "seed " << seed;
}

TEST(Bundle, refuses_every_truncation_and_random_bytes) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const Bytes good = example_bundle();
  for (std::size_t size = 0; size < good.size(); size += 7) {
    const std::span<const std::byte> part = std::span(good).first(size);
    EXPECT_NE(refusal_of([&] { Bundle::from_memory(part, "test.plait"); }), "") << size;
  }
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes noise(size);
    std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::byte>(random()); });
    EXPECT_NE(refusal_of([&] { Bundle::from_memory(noise, "test.plait"); }), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace plait
