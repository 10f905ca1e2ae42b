// samples.cpp: dispatches samples by the kind of their modality.
#include "bindings/python/samples.hpp"

#include <array>

#include "bindings/python/arrays.hpp"
#include "bindings/python/frames.hpp"
#include "bindings/python/points.hpp"
#include "bindings/python/sounds.hpp"
#include "bindings/python/texts.hpp"

namespace plait::python {
namespace {

Sample view_signal(const py::handle& value, const std::string& modality,
                   std::vector<py::object>& kept) {
  if (!is_series(value)) return Signal{.values = view_of(value, modality, kept)};
  Signal signal{.values = view_of(value.attr("values"), modality, kept)};
  const py::object timestamps = value.attr("timestamps_ns");
  if (!timestamps.is_none()) signal.timestamps_ns = timestamps_of(timestamps, modality, kept);
  const py::object rate = value.attr("rate_hz");
  if (!rate.is_none()) signal.rate_hz = py::cast<double>(rate);
  const py::object state = value.attr("state");
  if (!state.is_none()) {
    signal.state = py::cast<SignalState*>(state);
    kept.push_back(state);
  }
  const py::object unit = value.attr("unit");
  if (!unit.is_none()) {
    signal.unit = py::cast<std::string_view>(unit);
    kept.push_back(unit);
  }
  return signal;
}

struct Kind {
  const char* name;
  Sample (*view)(const py::handle& value, const ModalityDescription& modality,
                 std::vector<py::object>& kept);
};

/// What is no signal; a name that the manifest lacks is viewed as one, for the model to refuse.
constexpr std::array kKinds = {
    Kind{"frame",
         [](const py::handle& value, const ModalityDescription& modality,
            std::vector<py::object>& kept) -> Sample {
           return view_frame(value, modality.frame, modality.name, kept);
         }},
    Kind{"points",
         [](const py::handle& value, const ModalityDescription& modality,
            std::vector<py::object>& kept) -> Sample {
           return view_points(value, modality.name, kept);
         }},
    Kind{"sound",
         [](const py::handle& value, const ModalityDescription& modality,
            std::vector<py::object>& kept) -> Sample {
           return view_sound(value, modality.name, kept);
         }},
    Kind{"text",
         [](const py::handle& value, const ModalityDescription& modality,
            std::vector<py::object>& kept) -> Sample {
           return view_text(value, modality.name, kept);
         }},
};

}  // namespace

SampleList::SampleList(const Manifest& manifest, const py::dict& given) {
  samples_.reserve(given.size());
  names_.reserve(given.size());
  for (const auto& [key, value] : given) {
    names_.push_back(py::cast<std::string>(key));
    samples_.push_back(value.is_none() ? std::nullopt : std::optional(view(manifest, value)));
    named_.push_back({names_.back(), samples_.back() ? &*samples_.back() : nullptr});
  }
}

SampleList::SampleList(const Manifest& manifest, std::string modality, const py::handle& value)
    : names_({std::move(modality)}) {
  samples_.push_back(view(manifest, value));
}

Sample SampleList::view(const Manifest& manifest, const py::handle& value) {
  const std::string& modality = names_.back();
  const ModalityDescription* described = manifest.modality(modality);
  for (const Kind& kind : kKinds) {
    if (described != nullptr && described->kind == kind.name) {
      return kind.view(value, *described, kept_);
    }
  }
  return view_signal(value, modality, kept_);
}

}  // namespace plait::python
