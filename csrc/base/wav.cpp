// wav.cpp: the chunks of a RIFF/WAVE file. Source: Microsoft, Multimedia Programming Interface 1.0
// (1991), and WAVEFORMATEXTENSIBLE. Little-endian, like every machine this runs on.
#include "plait/wav.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "plait/error.hpp"

namespace plait {
namespace {

constexpr std::uint16_t kPcm = 1;
constexpr std::uint16_t kFloat = 3;
constexpr std::uint16_t kExtensible = 0xFFFE;
constexpr std::uint32_t kUnknownSize = 0xFFFFFFFF;
constexpr std::size_t kRiffHeader = 12;
constexpr std::size_t kChunkHeader = 8;
constexpr std::size_t kFormatBytes = 16;
constexpr std::size_t kExtensibleBytes = 40;
constexpr std::size_t kSubformat = 24;

struct Format {
  std::uint16_t tag = 0;
  std::uint16_t channels = 0;
  std::uint32_t rate_hz = 0;
  std::uint16_t frame_bytes = 0;
  std::uint16_t bits = 0;
};

class Reader {
 public:
  Reader(std::span<const std::byte> file, std::string_view name) : file_(file), name_(name) {}

  Sound read() {
    if (file_.size() < kRiffHeader || !is(0, "RIFF") || !is(8, "WAVE")) {
      fail("a RIFF/WAVE file",
           file_.size() < kRiffHeader ? std::to_string(file_.size()) + " bytes"
                                      : "other bytes at the front",
           "Decode other formats before (Python: soundfile).");
    }
    std::size_t at = kRiffHeader;
    while (file_.size() - at >= kChunkHeader && !(format_ && data_)) {
      const std::uint32_t stated = number<std::uint32_t>(at + 4);
      const std::size_t begin = at + kChunkHeader;
      const std::size_t room = file_.size() - begin;
      const bool open = is(at, "data") && stated == kUnknownSize;
      const std::size_t bytes = open ? room : stated;
      if (bytes > room) {
        fail("chunks that end within the file",
             "one of " + std::to_string(bytes) + " bytes, " + std::to_string(room) +
                 " before the end",
             "The file is cut off or damaged: copy it again.");
      }
      chunk(at, begin, bytes);
      if (bytes == room) break;
      at = begin + bytes + bytes % 2;  // chunks begin at even offsets
      if (at > file_.size()) break;
    }
    return sound();
  }

 private:
  template <typename T>
  T number(std::size_t at) const noexcept {
    T value;
    std::memcpy(&value, file_.data() + at, sizeof(T));
    return value;
  }

  bool is(std::size_t at, const char* tag) const noexcept {
    return std::memcmp(file_.data() + at, tag, 4) == 0;
  }

  [[noreturn]] void fail(std::string expected, std::string got, std::string action) const {
    throw SampleError({.where = std::string(name_),
                       .expected = std::move(expected),
                       .got = std::move(got),
                       .action = std::move(action)});
  }

  void chunk(std::size_t header, std::size_t begin, std::size_t bytes) {
    if (is(header, "data") && !data_) data_ = file_.subspan(begin, bytes);
    if (!is(header, "fmt ") || format_) return;
    if (bytes < kFormatBytes) {
      fail("a format chunk of at least 16 bytes", std::to_string(bytes),
           "The file is damaged: write it again.");
    }
    Format format{number<std::uint16_t>(begin), number<std::uint16_t>(begin + 2),
                  number<std::uint32_t>(begin + 4), number<std::uint16_t>(begin + 12),
                  number<std::uint16_t>(begin + 14)};
    if (format.tag == kExtensible && bytes >= kExtensibleBytes) {
      format.tag = number<std::uint16_t>(begin + kSubformat);
    }
    format_ = format;
  }

  Sound sound() const {
    if (!format_ || !data_) {
      fail("a format chunk and a data chunk", format_ ? "no data" : "no format",
           "The file is cut off or damaged: copy it again.");
    }
    const Format& format = *format_;
    const bool pcm = format.tag == kPcm && format.bits == 16;
    const bool real = format.tag == kFloat && format.bits == 32;
    if (!pcm && !real) {
      fail("16-bit integer or 32-bit float samples",
           std::to_string(format.bits) + " bits of format " + std::to_string(format.tag),
           "Convert it to 16-bit PCM.");
    }
    const DType dtype = pcm ? DType::kInt16 : DType::kFloat32;
    const std::size_t frame = format.channels * size_of(dtype);
    if (format.channels == 0 || format.rate_hz == 0 || format.frame_bytes != frame) {
      fail("a rate, channels, and frames as large as these",
           std::to_string(format.rate_hz) + " Hz, " + std::to_string(format.channels) +
               " channels, frames of " + std::to_string(format.frame_bytes) + " bytes",
           "The file's header is damaged: write it again.");
    }
    const auto frames = static_cast<std::int64_t>(data_->size() / frame);
    return {.values = {data_->data(), dtype, Shape{frames, format.channels}},
            .sample_rate_hz = static_cast<double>(format.rate_hz)};
  }

  std::span<const std::byte> file_;
  std::string_view name_;
  std::optional<Format> format_;
  std::optional<std::span<const std::byte>> data_;
};

}  // namespace

Sound view_wav(std::span<const std::byte> file, std::string_view name) {
  return Reader(file, name).read();
}

}  // namespace plait
