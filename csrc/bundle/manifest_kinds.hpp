// bundle/manifest_kinds.hpp: the manifest's section of a modality, one reader a sensor kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/json_reader.hpp"
#include "plait/manifest.hpp"

namespace plait::detail {

inline constexpr double kMaxMilliseconds = 1e12;

/// One sensor kind as the manifest knows it. The kinds are listed in manifest_kinds.cpp.
struct ManifestKind {
  const char* name;  ///< of the kind, and of its section
  void (*parse)(const JsonReader& section, ModalityDescription& modality);
  /// What the encoder of such a modality takes, with -1 for the batch in front.
  TensorDescription (*input)(const ModalityDescription& modality);
};

std::span<const ManifestKind> manifest_kinds() noexcept;
/// The kind of a modality that was parsed.
const ManifestKind& manifest_kind(const ModalityDescription& modality) noexcept;

/// Each reads and checks one section, and throws BundleError with the path to what is wrong.
SignalDescription parse_signal(const JsonReader& reader);
FrameDescription parse_frame(const JsonReader& reader);
SoundDescription parse_sound(const JsonReader& reader);
TextDescription parse_text(const JsonReader& reader);
PointsDescription parse_points(const JsonReader& reader);

/// What the encoder of such a modality takes, with -1 for the batch in front.
std::vector<std::int64_t> input_shape(const SignalDescription& signal);
std::vector<std::int64_t> input_shape(const FrameDescription& frame);
std::vector<std::int64_t> input_shape(const SoundDescription& sound);
std::vector<std::int64_t> input_shape(const TextDescription& text);
std::vector<std::int64_t> input_shape(const PointsDescription& points);

/// One float32 number a channel, none below least.
std::vector<float> parse_per_channel(const JsonReader& list, std::size_t channels, float least);

}  // namespace plait::detail
