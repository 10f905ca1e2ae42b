// recording.hpp: recorded windows of one modality, read from a raw float32 file.
#pragma once

#include <plait/plait.hpp>
#include <string>
#include <vector>

#include "arguments.hpp"

class Recording {
 public:
  /// Without a file the modality is absent.
  Recording(const plait::ModalityDescription& modality, const std::string& file);

  const std::string& name() const { return name_; }
  bool present() const { return !values_.empty(); }
  std::size_t windows() const { return values_.size() / floats_per_window_; }
  /// A view of one window: nothing is copied.
  plait::Signal window(std::size_t index) const;

 private:
  std::string name_;
  plait::Shape shape_;
  std::size_t floats_per_window_;
  std::vector<float> values_;
};

/// One recording for each of the bundle's modalities. Throws std::invalid_argument when a modality
/// is neither given nor declared absent, or a name is none of the bundle's.
std::vector<Recording> read_recordings(const Arguments& arguments, const plait::Manifest& manifest);

/// Windows that every present recording has.
std::size_t count_windows(const std::vector<Recording>& recordings);

void write_floats(const std::string& file, const std::vector<float>& values);
