// bundle/sha256.hpp: the SHA-256 of a stretch of memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace plait::detail {

/// 64 lower-case hexadecimal digits. Thread-safe; may block on the disk when data is mapped.
std::string sha256_hex(std::span<const std::byte> data);

}  // namespace plait::detail
