// preprocessor.cpp: the list of sensor kinds.
#include "preprocess/preprocessor.hpp"

#include <array>

#include "plait/error.hpp"
#include "preprocess/frame.hpp"
#include "preprocess/points.hpp"
#include "preprocess/signal.hpp"
#include "preprocess/sound.hpp"
#include "preprocess/text.hpp"

namespace plait::detail {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Preprocessor> (*make)(const ModalityDescription&, const std::string& where,
                                        const PreprocessorResources&);
};

constexpr std::array kKinds = {
    Kind{"frame",
         [](const ModalityDescription& modality, const std::string& where,
            const PreprocessorResources& resources) {
           return make_frame_preprocessor(modality, where, resources.pool);
         }},
    Kind{"points",
         [](const ModalityDescription& modality, const std::string& where,
            const PreprocessorResources&) { return make_points_preprocessor(modality, where); }},
    Kind{"signal",
         [](const ModalityDescription& modality, const std::string& where,
            const PreprocessorResources&) { return make_signal_preprocessor(modality, where); }},
    Kind{"sound",
         [](const ModalityDescription& modality, const std::string& where,
            const PreprocessorResources&) { return make_sound_preprocessor(modality, where); }},
    Kind{"text",
         [](const ModalityDescription& modality, const std::string& where,
            const PreprocessorResources& resources) {
           return make_text_preprocessor(modality, where, resources);
         }},
};

}  // namespace

std::unique_ptr<Preprocessor> make_preprocessor(const ModalityDescription& modality,
                                                const std::string& where,
                                                const PreprocessorResources& resources) {
  std::string known;
  for (const Kind& kind : kKinds) {
    if (modality.kind == kind.name) return kind.make(modality, where, resources);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw BundleError({.where = where,
                     .expected = "a modality kind this library prepares (" + known + ")",
                     .got = "'" + modality.kind + "'",
                     .action = "Upgrade plait on this device."});
}

std::string_view kind_of(const Sample& sample) noexcept {
  constexpr std::array<std::string_view, std::variant_size_v<Sample>> kWords = {
      "a signal", "a frame", "a sound", "a text", "a point cloud"};
  return kWords[sample.index()];
}

}  // namespace plait::detail
