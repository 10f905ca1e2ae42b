// frame_colour.hpp: from a format's colours to the encoder's channels and units.
#pragma once

#include "plait/manifest.hpp"
#include "preprocess/frame_format.hpp"
#include "preprocess/frame_kernels.hpp"

namespace plait::detail {

/// What a row of levels holds before it is finished.
enum class LevelColours : std::uint8_t { kLumaChroma, kRedGreenBlue, kGray };

/// The finishing of levels of the given colours into the description's channels.
FinishRule finish_rule(const FrameDescription& description, LevelColours colours);

/// The border's value in a channel, in the encoder's units; rounded to its type as a pixel is.
float border_value(const FrameDescription& description, std::size_t channel) noexcept;

/// Conversion of 8-bit luma and chroma to 8-bit colours.
ColourRule colour_rule(const FrameDescription& description);

/// Finishes rows of levels into the geometry's window of the encoder's input.
class RowWriter {
 public:
  RowWriter(const FrameDescription& description, LevelColours colours, const FrameKernels& kernels,
            std::int64_t output_height, std::int64_t output_width);
  /// levels: up to three rows of count values; a missing colour repeats the first.
  void write(std::array<const float*, 3> levels, std::int64_t count, std::int64_t y, std::int64_t x,
             std::byte* out) const;

 private:
  FinishRule rule_;
  const FrameKernels& kernels_;
  bool channels_first_;
  std::int64_t height_;
  std::int64_t width_;
};

}  // namespace plait::detail
