// frame_rows.hpp: rows of 8-bit colours of any format: in place where the format has them, else
// made.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "preprocess/frame_colour.hpp"
#include "preprocess/frame_resizer.hpp"

namespace plait::detail {

/// Rows of columns [begin, end) as interleaved bytes. Red, green and blue of a format that has them
/// are read where they are; luma and chroma are converted a row at a time, and so is colour that
/// the encoder wants as gray.
class ByteRows {
 public:
  static constexpr int kSlots = 4;

  ByteRows(const ResizerRule& rule, std::int64_t begin, std::int64_t end);

  int components() const noexcept { return components_; }
  int step() const noexcept { return step_; }
  /// Which of red, green, blue the given component is.
  std::size_t target(int component) const noexcept {
    return static_cast<std::size_t>(targets_[static_cast<std::size_t>(component)]);
  }
  LevelColours colours() const noexcept {
    return components_ == 1 ? LevelColours::kGray : LevelColours::kRedGreenBlue;
  }
  /// Bytes that may be read of a row.
  std::int64_t readable(const FrameView& view) const noexcept;
  /// The first byte of column begin of row y; valid until the slot is used again.
  const std::uint8_t* row(const FrameView& view, std::int64_t y, int slot);

 private:
  void convert(const FrameView& view, std::int64_t y, std::uint8_t* made) const;

  const FrameKernels& kernels_;
  ColourRule rule_;
  std::int64_t begin_;
  std::int64_t end_;
  bool gray_;
  bool converted_;
  int components_ = 3;
  int step_ = 3;
  std::array<int, 3> targets_{0, 1, 2};
  std::array<std::uint8_t, 256> grays_{};  // of each luma
  std::int64_t slot_bytes_ = 0;
  std::vector<std::uint8_t> made_;
};

}  // namespace plait::detail
