// byte_level.cpp: the two tables of byte-level tokens.
#include "preprocess/text/byte_level.hpp"

#include <array>

namespace plait::detail {
namespace {

constexpr CodePoint kStandIns = 0x100;  // of the first unprintable byte
constexpr std::size_t kStandInCount = 68;

constexpr bool printable(CodePoint byte) noexcept {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

struct Tables {
  std::array<CodePoint, 256> code_of{};
  std::array<std::array<char, 2>, 256> utf8{};
  std::array<unsigned char, 256> utf8_bytes{};
  std::array<int, kStandIns + kStandInCount> byte_of{};
};

constexpr Tables make_tables() noexcept {
  Tables tables;
  for (int& byte : tables.byte_of) byte = -1;
  CodePoint next = kStandIns;
  for (CodePoint byte = 0; byte < 256; ++byte) {
    const CodePoint code = printable(byte) ? byte : next++;
    tables.code_of[byte] = code;
    tables.byte_of[code] = static_cast<int>(byte);
    if (code < 0x80) {
      tables.utf8[byte] = {static_cast<char>(code), 0};
      tables.utf8_bytes[byte] = 1;
    } else {
      tables.utf8[byte] = {static_cast<char>(0xC0U | code >> 6U),
                           static_cast<char>(0x80U | (code & 0x3FU))};
      tables.utf8_bytes[byte] = 2;
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

void append_byte_level(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    const auto index = static_cast<unsigned char>(byte);
    out.append(kTables.utf8[index].data(), kTables.utf8_bytes[index]);
  }
}

void append_bytes_of(std::string_view token, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t position = 0; position < token.size();) {
    const CodePoint code = next_code_point(token, position);
    const int byte = code < kTables.byte_of.size() ? kTables.byte_of[code] : -1;
    if (byte < 0) {
      out.resize(before);
      out += token;
      return;
    }
    out += static_cast<char>(byte);
  }
}

}  // namespace plait::detail
