// prepare_frame.cpp: prepares one raw BGR frame and one raw NV12 frame, as a C++ application does.
//
//   prepare_frame BUNDLE FRONT WIDTH HEIGHT REAR WIDTH HEIGHT OUT
//
// Writes both encoder inputs, then the scores without a gyroscope, as raw float32.
#include <cstddef>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <plait/plait.hpp>
#include <string>
#include <vector>

namespace {

using Floats = std::vector<float>;

std::vector<char> read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

plait::Frame frame_of(const std::vector<char>& bytes, plait::PixelFormat format, std::int64_t width,
                      std::int64_t height) {
  plait::Frame frame;
  frame.format = format;
  frame.width = width;
  frame.height = height;
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  if (format == plait::PixelFormat::kBGR8) {
    frame.planes[0] = {data, width * 3, bytes.size()};
  } else {
    const auto luma = static_cast<std::size_t>(width * height);
    frame.planes[0] = {data, width, luma};
    frame.planes[1] = {data + luma, width, bytes.size() - luma};
  }
  return frame;
}

void prepare(const plait::Model& model, const char* modality, const plait::Sample& sample,
             Floats& all) {
  plait::Tensor input(plait::DType::kFloat32, model.input_shape(modality));
  model.prepare(modality, sample, input.view());
  const auto values = input.view().as_span<float>();
  all.insert(all.end(), values.begin(), values.end());
}

void run(char** arguments) {
  plait::LoadOptions options;
  options.precision = "fp32";
  options.threads = 1;
  const plait::Model model = plait::Model::load(arguments[1], options);
  const std::vector<char> front_bytes = read(arguments[2]);
  const std::vector<char> rear_bytes = read(arguments[5]);
  const plait::Sample front = frame_of(front_bytes, plait::PixelFormat::kBGR8,
                                       std::stoll(arguments[3]), std::stoll(arguments[4]));
  const plait::Sample rear = frame_of(rear_bytes, plait::PixelFormat::kNV12,
                                      std::stoll(arguments[6]), std::stoll(arguments[7]));
  Floats all;
  prepare(model, "front", front, all);
  prepare(model, "rear", rear, all);
  plait::Result result = model.make_result();
  const plait::NamedSample samples[] = {{"front", &front}, {"rear", &rear}, {"gyroscope", nullptr}};
  model.run(samples, result);
  const auto scores = result.heads()[0].scores;
  all.insert(all.end(), scores.begin(), scores.end());
  std::ofstream out(arguments[8], std::ios::binary);
  out.write(reinterpret_cast<const char*>(all.data()),
            static_cast<std::streamsize>(all.size() * sizeof(float)));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 9) return 2;
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
