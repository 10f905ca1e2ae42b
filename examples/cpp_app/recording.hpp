// recording.hpp: recorded samples of one modality, read from a file.
#pragma once

#include <memory>
#include <plait/plait.hpp>
#include <string>
#include <vector>

#include "arguments.hpp"

/// Samples of one modality. Owns the memory that they view.
class Recording {
 public:
  explicit Recording(std::string name) : name_(std::move(name)) {}
  virtual ~Recording() = default;

  const std::string& name() const { return name_; }
  virtual std::size_t count() const = 0;
  /// A view of one sample: nothing is copied.
  virtual plait::Sample sample(std::size_t index) const = 0;

 private:
  std::string name_;
};

/// Windows of raw little-endian float32, [windows, window, channels].
class SignalRecording final : public Recording {
 public:
  SignalRecording(const plait::ModalityDescription& modality, const std::string& file);
  std::size_t count() const override { return values_.size() / floats_per_window_; }
  plait::Sample sample(std::size_t index) const override;

 private:
  plait::Shape shape_;
  std::size_t floats_per_window_;
  std::vector<float> values_;
};

/// Frames: one binary picture (PPM "P6" or PGM "P5"), or "FILE:WIDTHxHEIGHT": frames one behind the
/// other in the format that the bundle declares, rows without padding.
class FrameRecording final : public Recording {
 public:
  FrameRecording(const plait::ModalityDescription& modality, const std::string& file);
  std::size_t count() const override { return bytes_.size() / frame_bytes_; }
  plait::Sample sample(std::size_t index) const override;

 private:
  void read_picture(const std::string& file);
  void lay_out_planes();

  plait::Frame layout_;  // sizes and strides of planes that lie one behind the other
  std::size_t frame_bytes_ = 0;
  std::vector<std::byte> bytes_;
};

/// One recording for each of the bundle's modalities, nullptr where it is absent. Throws
/// std::invalid_argument when a modality is neither given nor declared absent, or a name is none of
/// the bundle's.
std::vector<std::unique_ptr<Recording>> read_recordings(const Arguments& arguments,
                                                        const plait::Manifest& manifest);

/// Samples that every present recording has.
std::size_t count_samples(const std::vector<std::unique_ptr<Recording>>& recordings);

void write_floats(const std::string& file, const std::vector<float>& values);
