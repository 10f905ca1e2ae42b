// plait/wav.hpp: the samples of a WAV file that lies in memory, viewed without a copy.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "plait/export.hpp"
#include "plait/sample.hpp"

namespace plait {

/// The samples of a RIFF/WAVE file: [frames, channels], int16 or float32, with the file's rate.
///
/// Views the bytes, which must outlive it; samples may be unaligned in memory. Chunks may come in
/// any order; unknown ones are skipped. A data chunk whose size is 0xFFFFFFFF, as recorders that
/// stream leave it, ends with the file; an incomplete last frame is left out. Nothing but headers
/// is read. Throws SampleError where the bytes are no such file, for sizes that lie, and for 8, 24
/// or 32 bit integers, 64-bit floats and compressed formats, with what to do; name begins the
/// message.
PLAIT_API Sound view_wav(std::span<const std::byte> file, std::string_view name = "WAV file");

}  // namespace plait
