// frames.cpp: reads frames: a PPM or PGM picture, or a camera's raw bytes.
#include <algorithm>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <utility>

#include "recording.hpp"

namespace {

std::vector<std::byte> read_bytes(const std::string& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) throw std::invalid_argument("cannot read " + file);
  std::vector<std::byte> bytes(static_cast<std::size_t>(stream.tellg()));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

}  // namespace

FrameRecording::FrameRecording(const plait::ModalityDescription& modality, const std::string& file)
    : Recording(modality.name) {
  layout_.format = modality.frame.sensor_format;
  std::smatch size;
  if (std::regex_match(file, size, std::regex("(.+):([0-9]{1,5})x([0-9]{1,5})"))) {
    layout_.width = std::stoll(size[2]);
    layout_.height = std::stoll(size[3]);
    bytes_ = read_bytes(size[1]);
  } else {
    read_picture(file);
  }
  lay_out_planes();
  if (frame_bytes_ == 0 || bytes_.empty() || bytes_.size() % frame_bytes_ != 0) {
    throw std::invalid_argument(
        file + " does not hold whole frames of " + std::to_string(layout_.width) + " x " +
        std::to_string(layout_.height) + " in " + std::string(name_of(layout_.format)));
  }
}

/// A header of "P5" or "P6", width, height and largest value, then one white space, then pixels.
void FrameRecording::read_picture(const std::string& file) {
  const std::vector<std::byte> all = read_bytes(file);
  const std::string start(reinterpret_cast<const char*>(all.data()),
                          std::min<std::size_t>(all.size(), 256));
  static const std::regex kHeader("^P([56])\\s+(\\d{1,5})\\s+(\\d{1,5})\\s+(255|65535)\\s");
  std::smatch header;
  if (!std::regex_search(start, header, kHeader)) {
    throw std::invalid_argument(file + " is no binary PPM or PGM of 255 levels, and no raw " +
                                "frames: those are FILE:WIDTHxHEIGHT");
  }
  const bool wide = header[4] == "65535";
  layout_.width = std::stoll(header[2]);
  layout_.height = std::stoll(header[3]);
  layout_.format = header[1] == "6" ? plait::PixelFormat::kRGB8
                   : wide           ? plait::PixelFormat::kGray16
                                    : plait::PixelFormat::kGray8;
  bytes_.assign(all.begin() + header.length(), all.end());
  if (!wide) return;
  // 16-bit values are stored high byte first; samples are in the machine's order.
  for (std::size_t i = 0; i + 1 < bytes_.size(); i += 2) std::swap(bytes_[i], bytes_[i + 1]);
}

void FrameRecording::lay_out_planes() {
  using plait::PixelFormat;
  const std::int64_t width = layout_.width;
  const auto plane = [&](std::int64_t stride, std::int64_t rows) {
    return plait::Plane{.stride = stride, .bytes = static_cast<std::size_t>(stride * rows)};
  };
  const std::int64_t rows = layout_.height;
  switch (layout_.format) {
    case PixelFormat::kNV12:
    case PixelFormat::kNV21:
      layout_.planes = {plane(width, rows), plane(width, rows / 2)};
      break;
    case PixelFormat::kI420:
      layout_.planes = {plane(width, rows), plane(width / 2, rows / 2), plane(width / 2, rows / 2)};
      break;
    case PixelFormat::kRGB8:
    case PixelFormat::kBGR8:
      layout_.planes[0] = plane(3 * width, rows);
      break;
    case PixelFormat::kRGBA8:
    case PixelFormat::kBGRA8:
      layout_.planes[0] = plane(4 * width, rows);
      break;
    case PixelFormat::kGray8:
      layout_.planes[0] = plane(width, rows);
      break;
    default:  // YUYV, UYVY and 16 bits
      layout_.planes[0] = plane(2 * width, rows);
  }
  for (const plait::Plane& each : layout_.planes) frame_bytes_ += each.bytes;
}

plait::Sample FrameRecording::sample(std::size_t index) const {
  plait::Frame frame = layout_;
  const std::byte* next = bytes_.data() + index * frame_bytes_;
  for (plait::Plane& plane : frame.planes) {
    if (plane.bytes == 0) continue;
    plane.data = next;
    next += plane.bytes;
  }
  return frame;
}
