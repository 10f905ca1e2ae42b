// presence_pack/simd.cpp: a present modality's tokens are one block of memory, and so is their
// place: blocks are copied by memcpy, which is a vector loop already.
#include <algorithm>
#include <cstring>

#include "base/half.hpp"
#include "ops/presence_pack/op.hpp"

namespace plait::ops {
namespace {

/// Slots [begin, end) of one batch row.
struct Slots {
  std::int64_t row;
  std::int64_t begin;
  std::int64_t end;
};

template <typename T>
void pack_slots(const Arguments& arguments, const Slots& slots, T one) {
  const std::int64_t tokens = arguments.shape(0)[1];
  const auto channels = static_cast<std::size_t>(arguments.shape(0)[2]);
  const std::int64_t first = slots.row * arguments.outputs[1].shape[1];
  const auto lengths = arguments.input<std::int32_t>(2);
  const T* from = static_cast<const T*>(arguments.inputs[0].data);
  T* to = static_cast<T*>(arguments.outputs[0].data);
  auto* positions = static_cast<std::int32_t*>(arguments.outputs[1].data) + first;
  T* mask = static_cast<T*>(arguments.outputs[2].data) + first;
  std::int64_t slot = 0;   // of the modality's first token
  std::int64_t token = 0;  // likewise
  for (std::size_t m = 0; m < lengths.size(); token += lengths[m++]) {
    if (!is_present(arguments.inputs[1], slots.row, static_cast<std::int64_t>(m))) continue;
    const std::int64_t begin = std::max(slot, slots.begin);
    const std::int64_t end = std::min(slot + lengths[m], slots.end);
    for (std::int64_t i = begin; i < end; ++i) {
      positions[i] = static_cast<std::int32_t>(token + i - slot);
      mask[i] = one;
    }
    if (begin < end && channels > 0) {
      const auto source = static_cast<std::size_t>(slots.row * tokens + token + begin - slot);
      std::memcpy(to + static_cast<std::size_t>(first + begin) * channels, from + source * channels,
                  static_cast<std::size_t>(end - begin) * channels * sizeof(T));
    }
    slot += lengths[m];
  }
  const std::int64_t padding = std::max(slot, slots.begin);
  if (padding >= slots.end) return;
  std::fill(positions + padding, positions + slots.end, -1);
  std::fill(mask + padding, mask + slots.end, T{0});
  std::fill(to + static_cast<std::size_t>(first + padding) * channels,
            to + static_cast<std::size_t>(first + slots.end) * channels, T{0});
}

}  // namespace

void PresencePack::run_simd(const Arguments& arguments, Parallel& parallel) const {
  const std::int64_t slots = arguments.outputs[1].shape[1];
  const std::int64_t total = arguments.outputs[1].shape.elements();
  const std::int64_t shares =
      std::clamp<std::int64_t>(parallel.threads(), 1, std::max<std::int64_t>(total, 1));
  const auto pack_share = [&](std::size_t index) {
    const auto share = static_cast<std::int64_t>(index);
    const std::int64_t end = total * (share + 1) / shares;
    for (std::int64_t i = total * share / shares; i < end;) {
      const std::int64_t row = i / slots;
      const std::int64_t until = std::min(end, (row + 1) * slots);
      const Slots range{row, i - row * slots, until - row * slots};
      if (arguments.inputs[0].dtype == DType::kFloat32) {
        pack_slots(arguments, range, 1.0F);
      } else {
        pack_slots(arguments, range, detail::half_of_any(1.0F));
      }
      i = until;
    }
  };
  parallel.run(static_cast<std::size_t>(shares), pack_share);
}

}  // namespace plait::ops
