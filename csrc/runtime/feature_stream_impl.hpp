// feature_stream_impl.hpp: what a FeatureStream holds.
#pragma once

#include <memory>
#include <utility>

#include "preprocess/sound_stream.hpp"

namespace plait {

class FeatureStreamImpl {
 public:
  explicit FeatureStreamImpl(std::unique_ptr<const detail::SoundRule> rule)
      : stream(std::move(rule)) {}

  detail::SoundStream stream;
};

}  // namespace plait
