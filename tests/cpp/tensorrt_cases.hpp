// tensorrt_cases.hpp: engines on the stubs of CUDA and TensorRT: graphs, plans, memory and what
// comes out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "backends/tensorrt/engine.hpp"
#include "backends/tensorrt/engine_key.hpp"
#include "plait/manifest.hpp"
#include "plait/model.hpp"
#include "plait/tensor.hpp"
#include "stub_cuda.hpp"
#include "stub_tensorrt.hpp"

namespace plait::testing {

/// What the stubs pretend to be.
struct StubDevice {
  bool integrated = false;
  bool registers = true;
  bool uncapturable = false;
};

/// Sets the stubs back to their defaults, then as asked, and opens them. Counts go on.
std::shared_ptr<detail::EngineHost> stub_host(const StubDevice& device = {});
void reset_stubs();

/// Objects of the stubs that somebody still holds, as text; "" where there are none.
std::string held_by_stubs();

/// Of a whole model on the stubs, with engines in a folder.
LoadOptions stub_options(const std::filesystem::path& engines);

/// A graph and how an engine of it is built.
struct EngineCase {
  GraphDescription graph;
  float scale = 1.0F;
  std::int64_t least = 1;
  std::int64_t most = 1;
};

/// Inputs of odd sizes and three types, one of them large enough to be page-locked; two outputs.
EngineCase engine_case(std::int64_t least = 1, std::int64_t most = 1);
/// What an engine of it is to the stub.
std::string plan_of(const EngineCase& engine);
std::span<const std::byte> bytes_of(const std::string& plan);

using KeyChange = std::function<void(detail::EngineKey&)>;
/// Stores an engine of every graph of a bundle's variant, of scale 0.5, where the options have
/// them; change alters the keys.
void store_engines(
    const std::filesystem::path& bundle, const std::string& precision, const LoadOptions& options,
    std::int64_t most = 1, const KeyChange& change = [](detail::EngineKey&) {});

/// Memory for so many samples, inputs filled at random.
class EngineMemory {
 public:
  EngineMemory(const EngineCase& engine, std::int64_t samples);
  void fill(std::mt19937& generator);
  /// What the stub's engine computes of the inputs, computed here once more, in double.
  std::vector<std::vector<double>> expected() const;
  /// The largest difference of the outputs from that, relative to its largest magnitude.
  double error() const;
  std::unique_ptr<detail::BoundRun> bind(detail::Executable& executable);

  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;

 private:
  const EngineCase& engine_;
  std::int64_t samples_;
};

}  // namespace plait::testing
