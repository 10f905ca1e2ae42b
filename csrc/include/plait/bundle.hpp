// plait/bundle.hpp: an opened, checked bundle file: its manifest and its members, mapped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "plait/export.hpp"
#include "plait/manifest.hpp"

namespace plait {

class BundleImpl;

/// A bundle, mapped read-only from its file. Copies share the mapping. Thread-safe.
class PLAIT_API Bundle {
 public:
  /// Maps the file and checks container and manifest. Throws BundleError.
  static Bundle open(const std::filesystem::path& path);
  /// The same from memory, which must outlive the bundle; name appears in errors.
  static Bundle from_memory(std::span<const std::byte> data, std::string name);

  const Manifest& manifest() const noexcept;
  /// The manifest's text, byte for byte. Valid as long as any copy of the bundle lives.
  std::string_view manifest_json() const noexcept;
  /// File name, for messages.
  const std::string& name() const noexcept;
  /// A member's bytes in the mapping. Throws BundleError when there is none of that name or, with
  /// verify, when its SHA-256 differs from the manifest's.
  std::span<const std::byte> member(std::string_view name, bool verify = true) const;
  /// Checks the SHA-256 of every member. Throws BundleError at the first that differs.
  void verify() const;

 private:
  explicit Bundle(std::shared_ptr<const BundleImpl> impl) noexcept;
  std::shared_ptr<const BundleImpl> impl_;
};

}  // namespace plait
