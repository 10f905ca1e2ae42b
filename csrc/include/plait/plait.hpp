// plait/plait.hpp: the umbrella header: all an embedding application needs.
#pragma once

#include "plait/bundle.hpp"
#include "plait/error.hpp"
#include "plait/feature_stream.hpp"
#include "plait/generation.hpp"
#include "plait/manifest.hpp"
#include "plait/model.hpp"
#include "plait/sample.hpp"
#include "plait/tensor.hpp"
#include "plait/tokenizer.hpp"
#include "plait/version.hpp"
#include "plait/wav.hpp"
