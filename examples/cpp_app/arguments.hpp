// arguments.hpp: the command line of cpp_app.
#pragma once

#include <map>
#include <set>
#include <string>

struct Arguments {
  std::string bundle;
  std::string precision;
  int threads = 0;
  std::string out;
  std::map<std::string, std::string> files;  // modality -> file
  std::set<std::string> absent;
};

/// Throws std::invalid_argument with the usage when the arguments make no sense.
Arguments parse_arguments(int argc, char** argv);
