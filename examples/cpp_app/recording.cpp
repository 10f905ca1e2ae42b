// recording.cpp: reads windows of signals, and lists what the command line gives.
#include "recording.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <stdexcept>

namespace {

std::vector<float> read_floats(const std::string& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) throw std::invalid_argument("cannot read " + file);
  std::vector<float> values(static_cast<std::size_t>(stream.tellg()) / sizeof(float));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

std::unique_ptr<Recording> read_recording(const plait::ModalityDescription& modality,
                                          const std::string& file) {
  if (modality.kind == "signal") return std::make_unique<SignalRecording>(modality, file);
  if (modality.kind == "frame") return std::make_unique<FrameRecording>(modality, file);
  throw std::invalid_argument(modality.name + " is a " + modality.kind +
                              "; this program reads signals and frames");
}

}  // namespace

SignalRecording::SignalRecording(const plait::ModalityDescription& modality,
                                 const std::string& file)
    : Recording(modality.name),
      shape_({modality.signal.window, modality.signal.sensor_channels}),
      floats_per_window_(static_cast<std::size_t>(shape_.elements())),
      values_(read_floats(file)) {
  if (values_.empty() || values_.size() % floats_per_window_ != 0) {
    throw std::invalid_argument(file + " does not hold whole windows of shape " + shape_.text());
  }
}

plait::Sample SignalRecording::sample(std::size_t index) const {
  return plait::Signal{
      .values = {values_.data() + index * floats_per_window_, plait::DType::kFloat32, shape_}};
}

std::vector<std::unique_ptr<Recording>> read_recordings(const Arguments& arguments,
                                                        const plait::Manifest& manifest) {
  for (const auto& [name, file] : arguments.files) {
    if (manifest.modality(name) == nullptr) {
      throw std::invalid_argument("the bundle has no modality '" + name + "'");
    }
  }
  std::vector<std::unique_ptr<Recording>> recordings;
  for (const plait::ModalityDescription& modality : manifest.modalities) {
    const auto file = arguments.files.find(modality.name);
    const bool given = file != arguments.files.end();
    if (given == arguments.absent.contains(modality.name)) {
      throw std::invalid_argument("say either --" + modality.name + " FILE or --absent " +
                                  modality.name);
    }
    recordings.push_back(given ? read_recording(modality, file->second) : nullptr);
  }
  return recordings;
}

std::size_t count_samples(const std::vector<std::unique_ptr<Recording>>& recordings) {
  std::size_t samples = std::numeric_limits<std::size_t>::max();
  bool any = false;
  for (const auto& recording : recordings) {
    if (recording == nullptr) continue;
    samples = std::min(samples, recording->count());
    any = true;
  }
  return any ? samples : 0;
}

void write_floats(const std::string& file, const std::vector<float>& values) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(float)));
  if (!stream) throw std::runtime_error("cannot write " + file);
}
