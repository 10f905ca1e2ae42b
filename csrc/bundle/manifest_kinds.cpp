// manifest_kinds.cpp: the list of sensor kinds that a manifest may name.
#include "bundle/manifest_kinds.hpp"

#include <algorithm>
#include <array>

namespace plait::detail {
namespace {

constexpr std::array kKinds = {
    ManifestKind{
        "signal",
        [](const JsonReader& section, ModalityDescription& modality) {
          modality.signal = parse_signal(section);
        },
        [](const ModalityDescription& modality) {
          return TensorDescription{"sample", DType::kFloat32, input_shape(modality.signal)};
        }},
    ManifestKind{
        "frame",
        [](const JsonReader& section, ModalityDescription& modality) {
          modality.frame = parse_frame(section);
        },
        [](const ModalityDescription& modality) {
          return TensorDescription{"sample", modality.frame.dtype, input_shape(modality.frame)};
        }},
    ManifestKind{"sound",
                 [](const JsonReader& section, ModalityDescription& modality) {
                   modality.sound = parse_sound(section);
                 },
                 [](const ModalityDescription& modality) {
                   return TensorDescription{"sample", DType::kFloat32, input_shape(modality.sound)};
                 }},
    ManifestKind{"text",
                 [](const JsonReader& section, ModalityDescription& modality) {
                   modality.text = parse_text(section);
                 },
                 [](const ModalityDescription& modality) {
                   return TensorDescription{"sample", DType::kInt64, input_shape(modality.text)};
                 }},
    ManifestKind{
        "points",
        [](const JsonReader& section, ModalityDescription& modality) {
          modality.points = parse_points(section);
        },
        [](const ModalityDescription& modality) {
          return TensorDescription{"sample", DType::kFloat32, input_shape(modality.points)};
        }},
};

}  // namespace

std::span<const ManifestKind> manifest_kinds() noexcept { return kKinds; }

const ManifestKind& manifest_kind(const ModalityDescription& modality) noexcept {
  return *std::find_if(kKinds.begin(), kKinds.end(),
                       [&](const ManifestKind& kind) { return modality.kind == kind.name; });
}

}  // namespace plait::detail
