// test_wav.cpp: WAV files as they are written, and as they should not be.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "plait/error.hpp"
#include "plait/wav.hpp"

namespace plait {
namespace {

template <typename T>
std::string bytes_of(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

std::string chunk(const std::string& name, const std::string& body) {
  return name + bytes_of(static_cast<std::uint32_t>(body.size())) + body +
         std::string(body.size() % 2, '\0');
}

std::string format(std::uint16_t tag, std::uint16_t channels, std::uint32_t rate,
                   std::uint16_t bits) {
  const auto frame = static_cast<std::uint16_t>(channels * bits / 8);
  return bytes_of(tag) + bytes_of(channels) + bytes_of(rate) + bytes_of(rate * frame) +
         bytes_of(frame) + bytes_of(bits);
}

std::string file(const std::string& chunks) {
  return "RIFF" + bytes_of(static_cast<std::uint32_t>(chunks.size() + 4)) + "WAVE" + chunks;
}

Sound view(const std::string& contents) {
  return view_wav(std::as_bytes(std::span(contents)), "a.wav");
}

std::string refusal_of(const std::string& contents) {
  try {
    view(contents);
  } catch (const SampleError& error) {
    EXPECT_EQ(error.parts().where, "a.wav");
    EXPECT_NE(error.parts().action, "");
    return error.parts().expected;
  }
  return "";
}

const std::string kSamples = bytes_of(std::int16_t{1}) + bytes_of(std::int16_t{-2}) +
                             bytes_of(std::int16_t{3}) + bytes_of(std::int16_t{-4});

TEST(Wav, ViewsPcmWithoutACopy) {
  const std::string contents =
      file(chunk("fmt ", format(1, 2, 44100, 16)) + chunk("data", kSamples));
  const Sound sound = view(contents);
  EXPECT_EQ(sound.sample_rate_hz, 44100.0);
  EXPECT_EQ(sound.values.dtype, DType::kInt16);
  EXPECT_EQ(sound.values.shape, (Shape{2, 2}));
  EXPECT_EQ(sound.values.data, contents.data() + contents.size() - kSamples.size());
}

TEST(Wav, ViewsFloatsAndExtensibleFormats) {
  const std::string samples = bytes_of(0.5F) + bytes_of(-0.25F);
  EXPECT_EQ(view(file(chunk("fmt ", format(3, 1, 8000, 32)) + chunk("data", samples))).values.dtype,
            DType::kFloat32);
  const std::string extended = format(0xFFFE, 1, 8000, 32) + bytes_of(std::uint16_t{22}) +
                               bytes_of(std::uint16_t{32}) + bytes_of(std::uint32_t{4}) +
                               bytes_of(std::uint16_t{3}) + std::string(14, 'g');
  EXPECT_EQ(view(file(chunk("fmt ", extended) + chunk("data", samples))).values.shape,
            (Shape{2, 1}));
}

TEST(Wav, TakesChunksInAnyOrderAndSkipsOthers) {
  const std::string contents = file(chunk("LIST", "odd") + chunk("data", kSamples) +
                                    chunk("junk", "") + chunk("fmt ", format(1, 1, 16000, 16)));
  EXPECT_EQ(view(contents).values.shape, (Shape{4, 1}));
}

TEST(Wav, LeavesOutAnIncompleteFrameAndReadsAnOpenEnd) {
  std::string contents =
      file(chunk("fmt ", format(1, 2, 16000, 16)) + chunk("data", kSamples + "ab"));
  EXPECT_EQ(view(contents).values.shape, (Shape{2, 2}));
  const std::size_t size = contents.size() - kSamples.size() - 2 - 4;
  std::memset(contents.data() + size, 0xFF, 4);
  EXPECT_EQ(view(contents).values.shape, (Shape{2, 2}));
}

TEST(Wav, RefusesOtherFormats) {
  const std::string data = chunk("data", kSamples);
  for (const auto& [tag, bits] : {std::pair<std::uint16_t, std::uint16_t>{1, 8},
                                  {1, 24},
                                  {1, 32},
                                  {3, 64},
                                  {6, 8},
                                  {0x55, 0},
                                  {3, 16}}) {
    EXPECT_EQ(refusal_of(file(chunk("fmt ", format(tag, 1, 16000, bits)) + data)),
              "16-bit integer or 32-bit float samples")
        << tag << " " << bits;
  }
}

TEST(Wav, RefusesDamage) {
  const std::string fmt = chunk("fmt ", format(1, 1, 16000, 16));
  const std::string data = chunk("data", kSamples);
  EXPECT_EQ(refusal_of(""), "a RIFF/WAVE file");
  EXPECT_EQ(refusal_of("RIFX1234WAVE"), "a RIFF/WAVE file");
  EXPECT_EQ(refusal_of(file("")), "a format chunk and a data chunk");
  EXPECT_EQ(refusal_of(file(fmt)), "a format chunk and a data chunk");
  EXPECT_EQ(refusal_of(file(data)), "a format chunk and a data chunk");
  EXPECT_EQ(refusal_of(file(chunk("fmt ", "short") + data)), "a format chunk of at least 16 bytes");
  for (const std::string& wrong : {format(1, 0, 16000, 16), format(1, 1, 0, 16)}) {
    EXPECT_EQ(refusal_of(file(chunk("fmt ", wrong) + data)),
              "a rate, channels, and frames as large as these");
  }
  const std::string whole = file(fmt + data);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal_of(whole.substr(0, size)), "") << size;
  }
}

}  // namespace
}  // namespace plait
