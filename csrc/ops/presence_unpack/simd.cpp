// presence_unpack/simd.cpp: positions rise, so that one walk along a row tells for each token
// whether it was kept; rows are copied by memcpy, which is a vector loop already.
#include <algorithm>
#include <cstring>

#include "ops/presence_unpack/op.hpp"

namespace plait::ops {
namespace {

/// Tokens [begin, end) of one batch row.
void unpack_tokens(const Arguments& arguments, std::int64_t row, std::int64_t begin,
                   std::int64_t end) {
  const std::int64_t slots = arguments.shape(0)[1];
  const std::int64_t tokens = arguments.shape(2)[0];
  const auto bytes =
      static_cast<std::size_t>(arguments.shape(0)[2]) * size_of(arguments.inputs[0].dtype);
  if (bytes == 0) return;
  const auto at = [bytes](const void* first, std::int64_t index) {
    return static_cast<const std::byte*>(first) + static_cast<std::size_t>(index) * bytes;
  };
  const auto* positions = static_cast<const std::int32_t*>(arguments.inputs[1].data);
  const auto* last = positions + (row + 1) * slots;
  // Padding counts as beyond all tokens.
  const auto before = [](std::int32_t position, std::int64_t token) {
    return position >= 0 && position < token;
  };
  const auto* next = std::lower_bound(positions + row * slots, last, begin, before);
  auto* to = static_cast<std::byte*>(arguments.outputs[0].data) +
             static_cast<std::size_t>(row * tokens + begin) * bytes;
  for (std::int64_t token = begin; token < end; ++token, to += bytes) {
    const bool kept = next != last && *next == token;
    const std::byte* from = kept ? at(arguments.inputs[0].data, next++ - positions)
                                 : at(arguments.inputs[2].data, token);
    std::memcpy(to, from, bytes);
  }
}

}  // namespace

void PresenceUnpack::run_simd(const Arguments& arguments, Parallel& parallel) const {
  check_positions(arguments);
  const std::int64_t tokens = arguments.shape(2)[0];
  const std::int64_t total = arguments.shape(0)[0] * tokens;
  const std::int64_t shares =
      std::clamp<std::int64_t>(parallel.threads(), 1, std::max<std::int64_t>(total, 1));
  const auto unpack_share = [&](std::size_t index) {
    const auto share = static_cast<std::int64_t>(index);
    const std::int64_t end = total * (share + 1) / shares;
    for (std::int64_t i = total * share / shares; i < end;) {
      const std::int64_t row = i / tokens;
      const std::int64_t until = std::min(end, (row + 1) * tokens);
      unpack_tokens(arguments, row, i - row * tokens, until - row * tokens);
      i = until;
    }
  };
  parallel.run(static_cast<std::size_t>(shares), unpack_share);
}

}  // namespace plait::ops
