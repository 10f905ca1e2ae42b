// preprocessor.cpp: the list of sensor kinds.
#include "preprocess/preprocessor.hpp"

#include <array>

#include "plait/error.hpp"
#include "preprocess/frame.hpp"
#include "preprocess/signal.hpp"

namespace plait::detail {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Preprocessor> (*make)(const ModalityDescription&, const std::string& where);
};

constexpr std::array kKinds = {
    Kind{"frame", &make_frame_preprocessor},
    Kind{"signal", &make_signal_preprocessor},
};

}  // namespace

std::unique_ptr<Preprocessor> make_preprocessor(const ModalityDescription& modality,
                                                const std::string& where) {
  std::string known;
  for (const Kind& kind : kKinds) {
    if (modality.kind == kind.name) return kind.make(modality, where);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw BundleError({.where = where,
                     .expected = "a modality kind this library prepares (" + known + ")",
                     .got = "'" + modality.kind + "'",
                     .action = "Upgrade plait on this device."});
}

}  // namespace plait::detail
