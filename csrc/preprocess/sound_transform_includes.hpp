// sound_transform_includes.hpp: what pocketfft includes, so that it can be included in a namespace.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

// One transform at a time is asked for, of Lanes that bring their own vectors.
#define POCKETFFT_NO_MULTITHREADING
#define POCKETFFT_NO_VECTORS

namespace plait::detail {

// This packaging of pocketfft takes its index type from NumPy.
using npy_intp = std::ptrdiff_t;

}  // namespace plait::detail
