// run_overhead.cpp: microseconds of a whole run in C++ above its graphs run bare, interleaved.
//
//   run_overhead BUNDLE PRECISION THREADS ROUNDS      prints one JSON object
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <random>
#include <utility>
#include <vector>

#include "backends/onnxruntime/backend.hpp"
#include "plait/plait.hpp"

namespace plait {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Every graph of a precision, bound to memory of its own: nothing but ONNX Runtime's own time.
class BareGraphs {
 public:
  BareGraphs(const Bundle& bundle, const LoadOptions& options)
      : backend_(detail::make_onnxruntime_backend(options, options.threads)) {
    const Manifest& manifest = bundle.manifest();
    for (const GraphDescription& graph : manifest.graphs) {
      const VariantDescription& variant = *manifest.variant(options.precision);
      const std::string& member = variant.members.at(graph.name);
      executables_.push_back(backend_->load(graph, {.model = bundle.member(member),
                                                    .sha256 = manifest.members.at(member).sha256,
                                                    .precision = variant.precision,
                                                    .form = variant.form,
                                                    .target = variant.target,
                                                    .where = member}));
      runs_.push_back(executables_.back()->bind(memory(graph.inputs), memory(graph.outputs)));
    }
  }

  void run() {
    for (const auto& run : runs_) run->run();
  }

 private:
  std::vector<TensorView> memory(const std::vector<TensorDescription>& tensors) {
    std::vector<TensorView> views;
    for (const TensorDescription& tensor : tensors) {
      std::vector<std::int64_t> dims = tensor.shape;
      dims.front() = 1;
      Tensor& owner = tensors_.emplace_back(DType::kFloat32, Shape(dims));
      for (float& value : owner.view().as_span<float>()) value = normal_(generator_);
      views.push_back(owner.view());
    }
    return views;
  }

  std::unique_ptr<detail::Backend> backend_;
  std::vector<Tensor> tensors_;
  std::vector<std::unique_ptr<detail::Executable>> executables_;
  std::vector<std::unique_ptr<detail::BoundRun>> runs_;
  std::mt19937 generator_{0};
  std::normal_distribution<float> normal_;
};

void measure(int argc, char** argv) {
  if (argc != 5) {
    throw ConfigError({.where = "run_overhead",
                       .expected = "BUNDLE PRECISION THREADS ROUNDS",
                       .got = std::to_string(argc - 1) + " arguments",
                       .action = ""});
  }
  LoadOptions options;
  options.precision = argv[2];
  options.threads = std::stoi(argv[3]);
  const int rounds = std::stoi(argv[4]);
  const Model model = Model::load(argv[1], options);
  BareGraphs graphs(Bundle::open(argv[1]), options);

  std::vector<Tensor> values;
  std::vector<Sample> samples;
  for (const ModalityDescription& modality : model.manifest().modalities) {
    values.emplace_back(DType::kFloat32,
                        Shape{modality.signal.window, modality.signal.sensor_channels});
    samples.emplace_back(Signal{.values = std::as_const(values.back()).view()});
  }
  std::vector<NamedSample> named;
  for (std::size_t m = 0; m < samples.size(); ++m) {
    named.push_back({model.manifest().modalities[m].name, &samples[m]});
  }
  Result result = model.make_result();

  std::vector<double> whole;
  std::vector<double> bare;
  std::vector<double> prepare;
  for (int round = -100; round < rounds; ++round) {
    const bool whole_first = round % 2 == 0;
    double bare_us = 0.0;
    const auto run_bare = [&] {
      const auto start = Clock::now();
      graphs.run();
      bare_us = microseconds(Clock::now() - start);
    };
    if (!whole_first) run_bare();
    const auto start = Clock::now();
    model.run(named, result);
    const double whole_us = microseconds(Clock::now() - start);
    if (whole_first) run_bare();
    if (round < 0) continue;  // warm-up
    whole.push_back(whole_us);
    bare.push_back(bare_us);
    double preparing = 0.0;
    for (const ModalityReport& report : result.modalities()) {
      preparing += microseconds(report.prepare);
    }
    prepare.push_back(preparing);
  }
  std::vector<double> above(whole.size());
  std::transform(whole.begin(), whole.end(), bare.begin(), above.begin(), std::minus<>());
  std::printf(
      "{\"precision\": \"%s\", \"run_us\": %.3f, \"graphs_alone_us\": %.3f, "
      "\"above_graphs_us\": %.3f, \"of_which_prepare_us\": %.3f}\n",
      options.precision.c_str(), median(whole), median(bare), median(above), median(prepare));
}

}  // namespace
}  // namespace plait

int main(int argc, char** argv) {
  try {
    plait::measure(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "run_overhead: %s\n", error.what());
    return 1;
  }
  return 0;
}
