// container.cpp: reads the archive through minizip, and checks all that minizip leaves unchecked.
#include "bundle/container.hpp"

#include <minizip/unzip.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/quote.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

// Fixed parts of the ZIP format (APPNOTE 6.3.10, sections 4.3.7 to 4.3.16).
constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kDirectoryHeaderBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::string_view kEndSignature = "PK\x05\x06";
constexpr uLong kUtf8NameFlag = 1U << 11;

/// Throws; the four parts say what is wrong with this archive.
class Refusal {
 public:
  explicit Refusal(const std::string& where) : where_(where) {}

  [[noreturn]] void archive(std::string expected, std::string got) const {
    throw BundleError({.where = where_,
                       .expected = std::move(expected),
                       .got = std::move(got),
                       .action = "The file is no bundle or is damaged: copy or export it again."});
  }
  [[noreturn]] void member(std::string_view name, std::string expected, std::string got) const {
    throw BundleError({.where = where_ + ", member " + quote(name),
                       .expected = std::move(expected),
                       .got = std::move(got),
                       .action = "Write bundles with plait_export: other tools pack differently."});
  }

 private:
  const std::string& where_;
};

/// What minizip reads instead of a file. Never reads outside data.
struct MemoryStream {
  std::span<const std::byte> data;
  std::uint64_t position = 0;  // <= data.size()
};

voidpf open_memory(voidpf stream, const void* /*name*/, int /*mode*/) { return stream; }

uLong read_memory(voidpf /*opaque*/, voidpf stream, void* buffer, uLong size) {
  auto& memory = *static_cast<MemoryStream*>(stream);
  const std::uint64_t count = std::min<std::uint64_t>(size, memory.data.size() - memory.position);
  if (count > 0) std::memcpy(buffer, memory.data.data() + memory.position, count);
  memory.position += count;
  return static_cast<uLong>(count);
}

uLong refuse_writing(voidpf /*opaque*/, voidpf /*stream*/, const void* /*buffer*/, uLong /*size*/) {
  return 0;
}

ZPOS64_T tell_memory(voidpf /*opaque*/, voidpf stream) {
  return static_cast<MemoryStream*>(stream)->position;
}

long seek_memory(voidpf /*opaque*/, voidpf stream, ZPOS64_T offset, int origin) {
  auto& memory = *static_cast<MemoryStream*>(stream);
  const std::uint64_t size = memory.data.size();
  std::uint64_t base = 0;
  if (origin == ZLIB_FILEFUNC_SEEK_CUR) base = memory.position;
  if (origin == ZLIB_FILEFUNC_SEEK_END) base = size;
  if (offset > size - base) return -1;
  memory.position = base + offset;
  return 0;
}

int close_memory(voidpf /*opaque*/, voidpf /*stream*/) { return 0; }

struct CloseZip {
  void operator()(unzFile zip) const noexcept { unzClose(zip); }
};
using Zip = std::unique_ptr<std::remove_pointer_t<unzFile>, CloseZip>;

Zip open_zip(MemoryStream& stream) {
  zlib_filefunc64_def functions{};
  functions.zopen64_file = open_memory;
  functions.zread_file = read_memory;
  functions.zwrite_file = refuse_writing;
  functions.ztell64_file = tell_memory;
  functions.zseek64_file = seek_memory;
  functions.zclose_file = close_memory;
  functions.zerror_file = close_memory;  // no error state: a short read says it all
  functions.opaque = &stream;
  return Zip(unzOpen2_64("", &functions));
}

/// One entry of the directory and where it points.
struct Entry {
  std::string name;
  std::uint64_t begin = 0;       ///< of its local header
  std::uint64_t data_begin = 0;  ///< of its bytes
  std::uint64_t bytes = 0;
  std::uint64_t directory_bytes = 0;  ///< its share of the directory
  uLong crc = 0;
};

void check_info(const unz_file_info64& info, std::string_view name, const Refusal& refuse) {
  if ((info.flag & 1U) != 0) refuse.member(name, "no encryption", "an encrypted member");
  if ((info.flag & ~kUtf8NameFlag) != 0) {
    refuse.member(name, "no flags", "flags " + std::to_string(info.flag));
  }
  if (info.compression_method != 0) {
    refuse.member(name, "a stored member",
                  "compression method " + std::to_string(info.compression_method));
  }
  if (info.compressed_size != info.uncompressed_size) {
    refuse.member(name, "a stored member as long as its contents",
                  std::to_string(info.compressed_size) + " bytes for " +
                      std::to_string(info.uncompressed_size));
  }
}

/// Reads minizip's current entry: the directory's record and the local header it points to.
Entry read_entry(unzFile zip, std::span<const std::byte> archive, std::uint64_t index,
                 const Refusal& refuse) {
  const std::string ordinal = "directory entry " + std::to_string(index);
  unz_file_info64 info{};
  std::array<char, kMaxMemberName + 1> name_buffer{};
  if (unzGetCurrentFileInfo64(zip, &info, name_buffer.data(), name_buffer.size(), nullptr, 0,
                              nullptr, 0) != UNZ_OK) {
    refuse.archive("a readable directory", "a damaged " + ordinal);
  }
  if (info.size_filename > kMaxMemberName) {
    refuse.archive("member names of at most " + std::to_string(kMaxMemberName) + " bytes",
                   std::to_string(info.size_filename) + " bytes in " + ordinal);
  }
  Entry entry;
  entry.name.assign(name_buffer.data(), info.size_filename);
  if (!is_member_name(entry.name)) {
    refuse.archive("relative names of printable characters", quote(entry.name));
  }
  check_info(info, entry.name, refuse);
  entry.crc = info.crc;
  entry.bytes = info.uncompressed_size;
  entry.directory_bytes =
      kDirectoryHeaderBytes + info.size_filename + info.size_file_extra + info.size_file_comment;

  int method = 0;
  if (unzOpenCurrentFile2(zip, &method, nullptr, /*raw=*/1) != UNZ_OK) {
    refuse.member(entry.name, "a local header equal to the directory's",
                  "a different or no header");
  }
  entry.data_begin = unzGetCurrentFileZStreamPos64(zip);
  const int extra_bytes = unzGetLocalExtrafield(zip, nullptr, 0);
  unzCloseCurrentFile(zip);

  if (entry.data_begin > archive.size() || entry.bytes > archive.size() - entry.data_begin) {
    refuse.member(entry.name, "bytes inside the file",
                  std::to_string(entry.bytes) + " at " + std::to_string(entry.data_begin) + " of " +
                      std::to_string(archive.size()));
  }
  const std::uint64_t header_bytes =
      kLocalHeaderBytes + entry.name.size() + static_cast<std::uint64_t>(std::max(extra_bytes, 0));
  if (extra_bytes < 0 || header_bytes > entry.data_begin) {
    refuse.member(entry.name, "a header in front of its bytes", "none");
  }
  entry.begin = entry.data_begin - header_bytes;
  if (entry.data_begin % kMemberAlignment != 0) {
    refuse.member(entry.name, "a start at a multiple of 64 bytes",
                  "byte " + std::to_string(entry.data_begin));
  }
  const std::byte* local_name = archive.data() + entry.begin + kLocalHeaderBytes;
  if (std::memcmp(local_name, entry.name.data(), entry.name.size()) != 0) {
    refuse.member(entry.name, "the same name in the local header", "another");
  }
  return entry;
}

std::uint64_t count_entries(unzFile zip, const Refusal& refuse) {
  unz_global_info64 info{};
  unzGetGlobalInfo64(zip, &info);
  if (info.size_comment != 0) refuse.archive("no archive comment", "one");
  if (info.number_entry == 0) refuse.archive("manifest.json in the archive", "an empty archive");
  if (info.number_entry > kMaxMembers) {
    refuse.archive("at most " + std::to_string(kMaxMembers) + " members",
                   std::to_string(info.number_entry));
  }
  return info.number_entry;
}

std::string_view checked_manifest(const Entry& entry, std::span<const std::byte> archive,
                                  const Refusal& refuse) {
  if (entry.name != kManifestName) {
    refuse.archive("manifest.json as the first member", quote(entry.name));
  }
  if (entry.bytes > kMaxManifestBytes) {
    refuse.member(entry.name, "at most " + std::to_string(kMaxManifestBytes) + " bytes",
                  std::to_string(entry.bytes));
  }
  const auto bytes = archive.subspan(entry.data_begin, entry.bytes);
  const uLong crc = ::crc32(::crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()),
                            static_cast<uInt>(bytes.size()));
  if (crc != entry.crc)
    refuse.archive("manifest.json with the CRC-32 it was packed with", "another");
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool is_member_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxMemberName) return false;
  const auto allowed = [](char character) {
    return character >= 0x20 && character < 0x7f && character != '\\' && character != ':';
  };
  if (!std::all_of(name.begin(), name.end(), allowed)) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Container read_container(std::span<const std::byte> archive, const std::string& where) {
  const Refusal refuse(where);
  if (archive.size() > kMaxArchiveBytes) {
    throw BundleError({.where = where,
                       .expected = "an archive below 4 GiB",
                       .got = std::to_string(archive.size()) + " bytes",
                       .action = "Quantize the model, or split it over several bundles."});
  }
  // minizip would take an end record anywhere in the last 64 KiB; only the last bytes are right.
  if (archive.size() < kEndBytes || std::memcmp(archive.data() + archive.size() - kEndBytes,
                                                kEndSignature.data(), kEndSignature.size()) != 0) {
    refuse.archive("a ZIP archive that ends where the file ends",
                   std::to_string(archive.size()) + " bytes that do not");
  }
  MemoryStream stream{archive};
  const Zip zip = open_zip(stream);
  if (!zip) refuse.archive("a ZIP archive", "a damaged end record");
  const std::uint64_t count = count_entries(zip.get(), refuse);

  Container container;
  std::uint64_t end = 0;
  std::uint64_t directory_begin = 0;
  std::uint64_t directory_bytes = 0;
  for (std::uint64_t index = 0; index < count; ++index) {
    const int moved = index == 0 ? unzGoToFirstFile(zip.get()) : unzGoToNextFile(zip.get());
    if (moved != UNZ_OK) {
      refuse.archive(std::to_string(count) + " directory entries", std::to_string(index));
    }
    const Entry entry = read_entry(zip.get(), archive, index, refuse);
    if (entry.begin != end) {
      refuse.member(entry.name,
                    "its header at byte " + std::to_string(end) + ", right after the last",
                    "byte " + std::to_string(entry.begin));
    }
    end = entry.data_begin + entry.bytes;
    directory_bytes += entry.directory_bytes;
    if (index == 0) {
      directory_begin = unzGetOffset64(zip.get());
      container.manifest = checked_manifest(entry, archive, refuse);
      continue;
    }
    const auto bytes = archive.subspan(entry.data_begin, entry.bytes);
    if (entry.name == kManifestName || !container.members.emplace(entry.name, bytes).second) {
      refuse.member(entry.name, "each name once", "it twice");
    }
  }
  const std::uint64_t directory_end = end + directory_bytes;
  if (directory_begin != end || directory_end + kEndBytes != archive.size()) {
    refuse.archive("the directory between the last member and the end", "other bytes there");
  }
  return container;
}

}  // namespace plait::detail
