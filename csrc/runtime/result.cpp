// result.cpp: the public face of a Result.
#include "runtime/result.hpp"

#include "plait/error.hpp"

namespace plait {

Result::Result(std::unique_ptr<ResultImpl> impl) noexcept : impl_(std::move(impl)) {}
Result::Result(Result&&) noexcept = default;
Result& Result::operator=(Result&&) noexcept = default;
Result::~Result() = default;

std::span<const HeadAnswer> Result::heads() const noexcept { return impl_->heads; }

std::span<const ModalityReport> Result::modalities() const noexcept { return impl_->modalities; }

const HeadAnswer& Result::operator[](std::string_view head) const {
  std::string known;
  for (const HeadAnswer& answer : impl_->heads) {
    if (answer.name == head) return answer;
    known += (known.empty() ? "" : ", ") + std::string(answer.name);
  }
  throw ConfigError({.where = "result",
                     .expected = "a head of this bundle (" + known + ")",
                     .got = "'" + std::string(head) + "'",
                     .action = ""});
}

std::chrono::nanoseconds Result::total() const noexcept { return impl_->total; }

}  // namespace plait
