// bundle.cpp: a bundle = a mapping, its container, its manifest, and which members were verified.
#include "plait/bundle.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/quote.hpp"
#include "bundle/container.hpp"
#include "bundle/manifest.hpp"
#include "bundle/mapped_file.hpp"
#include "bundle/sha256.hpp"
#include "plait/error.hpp"

namespace plait {
namespace {

/// A member and whether its hash was found right, which is computed once, by one thread.
struct Member {
  std::span<const std::byte> bytes;
  std::string sha256;
  std::mutex hashing;
  std::atomic<bool> verified = false;
};

}  // namespace

class BundleImpl {
 public:
  BundleImpl(std::optional<detail::MappedFile> file, std::span<const std::byte> data,
             std::string name)
      : file_(std::move(file)), name_(std::move(name)) {
    const detail::Container container = detail::read_container(data, name_);
    manifest_json_ = container.manifest;
    manifest_ = detail::parse_manifest(container.manifest,
                                       name_ + ", " + std::string(detail::kManifestName));
    match_members(container);
  }

  const Manifest& manifest() const noexcept { return manifest_; }
  std::string_view manifest_json() const noexcept { return manifest_json_; }
  const std::string& name() const noexcept { return name_; }

  std::span<const std::byte> member(std::string_view name, bool verify) const {
    const auto found = members_.find(name);
    if (found == members_.end()) {
      throw BundleError({.where = name_,
                         .expected = "a member of the bundle",
                         .got = detail::quote(name),
                         .action = "The manifest's members lists what there is."});
    }
    if (verify) verify_member(found->first, found->second);
    return found->second.bytes;
  }

  void verify() const {
    for (auto& [name, member] : members_) verify_member(name, member);
  }

 private:
  /// The archive must hold what the manifest lists: no more, no less, in the listed sizes.
  void match_members(const detail::Container& container) {
    for (const auto& [name, bytes] : container.members) {
      if (!manifest_.members.contains(name)) {
        refuse(name, "a member that the manifest lists", "one that it does not");
      }
    }
    for (const auto& [name, description] : manifest_.members) {
      const auto found = container.members.find(name);
      if (found == container.members.end()) {
        refuse(name, "every member that the manifest lists", "none of this name");
      }
      if (found->second.size() != description.bytes) {
        refuse(name, std::to_string(description.bytes) + " bytes",
               std::to_string(found->second.size()));
      }
      Member& member = members_[name];
      member.bytes = found->second;
      member.sha256 = description.sha256;
    }
  }

  void verify_member(const std::string& name, Member& member) const {
    if (member.verified.load(std::memory_order_acquire)) return;
    const std::scoped_lock lock(member.hashing);
    if (member.verified.load(std::memory_order_relaxed)) return;
    const std::string sha256 = detail::sha256_hex(member.bytes);
    if (sha256 != member.sha256) refuse(name, "SHA-256 " + member.sha256, sha256);
    member.verified.store(true, std::memory_order_release);
  }

  [[noreturn]] void refuse(const std::string& member, std::string expected, std::string got) const {
    throw BundleError({.where = name_ + ", member " + detail::quote(member),
                       .expected = std::move(expected),
                       .got = std::move(got),
                       .action = "The bundle is damaged or was altered: copy or export it again."});
  }

  std::optional<detail::MappedFile> file_;  // none when the caller owns the memory
  std::string name_;
  // A copy: the file may be overwritten in place later, and a mapping would change with it.
  std::string manifest_json_;
  Manifest manifest_;
  mutable std::map<std::string, Member, std::less<>> members_;
};

Bundle::Bundle(std::shared_ptr<const BundleImpl> impl) noexcept : impl_(std::move(impl)) {}

Bundle Bundle::open(const std::filesystem::path& path) {
  detail::MappedFile file(path);
  const std::span<const std::byte> data = file.bytes();
  return Bundle(
      std::make_shared<const BundleImpl>(std::move(file), data, path.filename().string()));
}

Bundle Bundle::from_memory(std::span<const std::byte> data, std::string name) {
  return Bundle(std::make_shared<const BundleImpl>(std::nullopt, data, std::move(name)));
}

const Manifest& Bundle::manifest() const noexcept { return impl_->manifest(); }

std::string_view Bundle::manifest_json() const noexcept { return impl_->manifest_json(); }

const std::string& Bundle::name() const noexcept { return impl_->name(); }

std::span<const std::byte> Bundle::member(std::string_view name, bool verify) const {
  return impl_->member(name, verify);
}

void Bundle::verify() const { impl_->verify(); }

}  // namespace plait
