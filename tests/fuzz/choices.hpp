// choices.hpp: a fuzzer's input as a row of choices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plait::testing {

/// The input's bytes as choices; zeros where there are none left.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  /// 0 to count - 1.
  std::int64_t below(std::int64_t count) { return next() % count; }
  std::int64_t next() { return at_ < size_ ? data_[at_++] : 0; }
  std::span<const std::uint8_t> rest() const { return {data_ + at_, size_ - at_}; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

}  // namespace plait::testing
