// fuzz_wav.cpp: any bytes are a WAV file whose samples lie in them, or a SampleError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "plait/error.hpp"
#include "plait/wav.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const plait::Sound sound = plait::view_wav(file, "fuzz");
    const auto* begin = static_cast<const std::byte*>(sound.values.data);
    const std::size_t bytes = sound.values.bytes();
    if (!(sound.sample_rate_hz > 0.0) || sound.values.shape[1] < 1) std::abort();
    if (bytes > size || begin < file.data() || begin + bytes > file.data() + size) std::abort();
  } catch (const plait::SampleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
  }
  return 0;
}
