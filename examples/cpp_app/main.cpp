// main.cpp: runs a bundle on recorded windows and frames from C++, and writes every score.
//
//   cpp_app BUNDLE --NAME FILE ... [--absent NAME]... [--precision P] [--threads N] [--out FILE]
//
// A FILE of a signal holds its windows as raw little-endian float32, [windows, window, channels].
// Of a camera it is one PPM or PGM picture, or FILE:WIDTHxHEIGHT, raw frames in the format that the
// bundle declares. Scores go to --out as raw float32, [windows, classes], of the first head.
#include <exception>
#include <iostream>

#include "arguments.hpp"
#include "recording.hpp"

namespace {

void run(const Arguments& arguments) {
  plait::LoadOptions options;
  options.precision = arguments.precision;
  options.threads = arguments.threads;
  const plait::Model model = plait::Model::load(arguments.bundle, options);
  const auto recordings = read_recordings(arguments, model.manifest());

  std::vector<float> all_scores;
  plait::Result result = model.make_result();
  std::size_t windows = 0;
  for (; windows < count_samples(recordings); ++windows) {
    std::vector<plait::Sample> samples(recordings.size());
    std::vector<plait::NamedSample> named;
    for (std::size_t m = 0; m < recordings.size(); ++m) {
      const bool present = recordings[m] != nullptr;
      if (present) samples[m] = recordings[m]->sample(windows);
      named.push_back({model.manifest().modalities[m].name, present ? &samples[m] : nullptr});
    }
    model.run(named, result);
    const plait::HeadAnswer& answer = result.heads().front();
    all_scores.insert(all_scores.end(), answer.scores.begin(), answer.scores.end());
  }
  if (!arguments.out.empty()) write_floats(arguments.out, all_scores);

  const plait::HeadAnswer& last = result.heads().front();
  std::cout << windows << " windows, " << model.precision() << ", " << model.backend()
            << "; the last is '" << last.label << "'";
  if (last.expected_quality) {
    std::cout << " (expected " << last.expected_quality->metric << " "
              << last.expected_quality->value << ")";
  }
  std::cout << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse_arguments(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "cpp_app: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
