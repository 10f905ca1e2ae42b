// arguments.cpp: parses the command line of cpp_app.
#include "arguments.hpp"

#include <stdexcept>

Arguments parse_arguments(int argc, char** argv) {
  const std::string usage =
      "usage: cpp_app BUNDLE --NAME FILE ... [--absent NAME]... [--precision P] [--threads N] "
      "[--out FILE]";
  if (argc < 2) throw std::invalid_argument(usage);
  Arguments arguments;
  arguments.bundle = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string option = argv[i];
    if (!option.starts_with("--") || i + 1 >= argc) {
      throw std::invalid_argument("what is '" + option + "'? " + usage);
    }
    const std::string value = argv[i + 1];
    if (option == "--absent") {
      arguments.absent.insert(value);
    } else if (option == "--precision") {
      arguments.precision = value;
    } else if (option == "--threads") {
      arguments.threads = std::stoi(value);
    } else if (option == "--out") {
      arguments.out = value;
    } else {
      arguments.files[option.substr(2)] = value;
    }
  }
  return arguments;
}
