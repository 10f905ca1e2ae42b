// prepare_sound.cpp: prepares three raw sounds and runs them, as a C++ application does.
//
//   prepare_sound BUNDLE ROOM PHONE VOICE OUT
//
// ROOM is stereo float32, PHONE mono int16, VOICE float32 of three channels. Writes the encoder
// inputs, then the scores without a gyroscope, as raw float32.
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

plait::Sound sound_of(const std::vector<char>& bytes, plait::DType dtype, std::int64_t channels) {
  const std::int64_t size = dtype == plait::DType::kInt16 ? 2 : 4;
  const auto frames = static_cast<std::int64_t>(bytes.size()) / (channels * size);
  return {plait::ConstTensorView(bytes.data(), dtype, plait::Shape{frames, channels})};
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
  const std::vector<char> room_bytes = read(arguments[2]);
  const std::vector<char> phone_bytes = read(arguments[3]);
  const std::vector<char> voice_bytes = read(arguments[4]);
  const plait::Sample room = sound_of(room_bytes, plait::DType::kFloat32, 2);
  const plait::Sample phone = sound_of(phone_bytes, plait::DType::kInt16, 1);
  const plait::Sample voice = sound_of(voice_bytes, plait::DType::kFloat32, 3);
  Floats all;
  prepare(model, "room", room, all);
  prepare(model, "phone", phone, all);
  prepare(model, "voice", voice, all);
  plait::Result result = model.make_result();
  const plait::NamedSample samples[] = {
      {"room", &room}, {"phone", &phone}, {"voice", &voice}, {"gyroscope", nullptr}};
  model.run(samples, result);
  const auto scores = result.heads()[0].scores;
  all.insert(all.end(), scores.begin(), scores.end());
  std::ofstream out(arguments[5], std::ios::binary);
  out.write(reinterpret_cast<const char*>(all.data()),
            static_cast<std::streamsize>(all.size() * sizeof(float)));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
