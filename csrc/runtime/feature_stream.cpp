// feature_stream.cpp: the public face of a stream of features.
#include "plait/feature_stream.hpp"

#include "runtime/feature_stream_impl.hpp"

namespace plait {

FeatureStream::FeatureStream(std::unique_ptr<FeatureStreamImpl> impl) noexcept
    : impl_(std::move(impl)) {}
FeatureStream::FeatureStream(FeatureStream&&) noexcept = default;
FeatureStream& FeatureStream::operator=(FeatureStream&&) noexcept = default;
FeatureStream::~FeatureStream() = default;

std::int64_t FeatureStream::bands() const noexcept { return impl_->stream.bands(); }
std::int64_t FeatureStream::ready() const noexcept { return impl_->stream.ready(); }
void FeatureStream::push(const Sound& chunk) { impl_->stream.push(chunk); }
void FeatureStream::finish() { impl_->stream.finish(); }
std::int64_t FeatureStream::read(std::span<float> out) { return impl_->stream.read(out); }
void FeatureStream::reset() noexcept { impl_->stream.reset(); }

}  // namespace plait
