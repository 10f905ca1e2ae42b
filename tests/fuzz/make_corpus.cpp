// make_corpus.cpp: writes the seeds of the fuzz targets: make_corpus FOLDER.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <string_view>

#include "backends/tensorrt/engine_files.hpp"
#include "bundle_writer.hpp"
#include "tokenizer_cases.hpp"

namespace {

using plait::testing::Bytes;
using plait::testing::MemberList;

void write(const std::filesystem::path& path, const void* data, std::size_t bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

void write_bundle(const std::filesystem::path& path, const Bytes& bytes) {
  write(path, bytes.data(), bytes.size());
}

/// The example in as few bytes as it takes: the fuzzer's inputs are no longer than its seeds.
Bytes light_bundle() {
  MemberList members = plait::testing::example_members();
  for (auto& [name, contents] : members) contents.resize(1);
  nlohmann::json manifest = plait::testing::example_manifest();
  manifest["members"] = plait::testing::hashes_of(members);
  return plait::testing::write_bundle(manifest.dump(), members);
}

/// The example without what can be left out: the smallest bundle of one modality and one head.
Bytes smallest_bundle() {
  nlohmann::json manifest = plait::testing::example_manifest();
  for (const char* key : {"description", "created", "lineage", "gate", "quality", "golden"}) {
    manifest.erase(key);
  }
  const MemberList members = {{"e", "encoder"}, {"h", ""}};
  for (const char* key : {"modalities", "heads", "variants"}) {
    manifest[key] = nlohmann::json::array({manifest[key][0]});
  }
  manifest["graphs"] = nlohmann::json::array({manifest["graphs"][0], manifest["graphs"][2]});
  manifest["graphs"][1]["inputs"].erase(1);
  manifest["graphs"][1]["inputs"][1]["shape"][1] = 1;
  manifest["heads"][0]["modalities"] = {"wrist"};
  manifest["variants"][0]["members"] = {{"wrist_encoder", "e"}, {"exercise_head", "h"}};
  manifest["default_precision"] = "fp32";
  manifest["members"] = plait::testing::hashes_of(members);
  return plait::testing::write_bundle(manifest.dump(), members);
}

/// Bytes that choose a description and frames: mostly sensible ones, whatever they are.
void write_frames(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (unsigned seed = 1; seed <= 24; ++seed) {
    std::minstd_rand random(seed);
    std::array<std::uint8_t, 320> bytes{};
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 8);
    write(folder / std::to_string(seed), bytes.data(), bytes.size());
  }
}

/// Bytes that choose an operator first, then all of a call: a few of each operator.
void write_calls(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (unsigned seed = 0; seed < 90; ++seed) {
    std::minstd_rand random(seed + 1);
    std::array<std::uint8_t, 160> bytes{};
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 8);
    bytes[0] = static_cast<std::uint8_t>(seed);
    bytes[1] = 0;
    write(folder / std::to_string(seed), bytes.data(), bytes.size());
  }
}

/// Small clouds behind the bytes that choose how they are prepared.
void write_clouds(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (unsigned seed = 1; seed <= 12; ++seed) {
    std::minstd_rand random(seed);
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += static_cast<char>(random() >> 8);
    for (int i = 0; i < 120; ++i) {
      const auto value = static_cast<float>(random() % 4000) / 100.0F - 20.0F;
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    write(folder / std::to_string(seed), bytes.data(), bytes.size());
  }
}

/// WAV files of a few samples, and PCM behind the bytes that choose how it is prepared.
void write_sounds(const std::filesystem::path& folder) {
  using namespace std::string_literals;
  const std::filesystem::path wavs = folder / "wav";
  const std::filesystem::path sounds = folder / "sound";
  std::filesystem::create_directories(wavs);
  std::filesystem::create_directories(sounds);
  const std::string pcm = "fmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0"s;
  const std::string real = "fmt \x10\0\0\0\x03\0\x01\0\x80\x3e\0\0\0\xfa\0\0\x04\0\x20\0"s;
  const std::string data = "data\x08\0\0\0abcdefgh"s;
  const std::string odd = "LIST\x03\0\0\0abc\0"s;
  int number = 0;
  for (const std::string& chunks : {pcm + data, real + data, data + pcm, odd + pcm + data}) {
    const std::string file = "RIFF\0\0\0\0WAVE"s + chunks;
    write(wavs / std::to_string(number++), file.data(), file.size());
  }
  for (char kind = 0; kind < 8; ++kind) {
    std::string bytes(27, kind);  // one a choice
    for (int i = 0; i < 600; ++i) bytes += static_cast<char>(i * (kind + 3) / 5);
    write(sounds / std::to_string(kind), bytes.data(), bytes.size());
  }
}

/// Tokenizers, and for each of them texts; the first byte of a text chooses its tokenizer.
void make_texts(const std::filesystem::path& tokenizers, const std::filesystem::path& texts) {
  std::filesystem::create_directories(tokenizers);
  std::filesystem::create_directories(texts);
  int number = 0;
  for (const std::string& json : plait::testing::all_tokenizers()) {
    write(tokenizers / std::to_string(number), json.data(), json.size());
    const std::string text = std::string(1, static_cast<char>(number)) +
                             "The cat's 42 toys, ab\u0301 [MASK]\n \u4e2d \U0001F600<|end|>";
    write(texts / std::to_string(number), text.data(), text.size());
    ++number;
  }
}

/// An engine's description, and what a beginning of one may look like.
void write_descriptions(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  plait::detail::EngineDescription engine;
  engine.key = {.graph_sha256 = std::string(64, 'a'),
                .precision = "fp16_tensorrt",
                .profiles = R"({"x":[[1,3],[1,3],[4,3]]})",
                .tensorrt = "10.14.1.48",
                .device = "Orin",
                .compute_capability = "8.7",
                .driver = "36.4.3",
                .plugins = ""};
  engine.sha256 = std::string(64, 'b');
  engine.bytes = 1000;
  engine.report = R"({"seconds":1.5,"layers":[{"name":"a","type":"gemm"}]})";
  const std::string text = plait::detail::description_text(engine);
  write(folder / "example", text.data(), text.size());
  write(folder / "half", text.data(), text.size() / 2);
}

void make_corpus(const std::filesystem::path& folder) {
  write_descriptions(folder / "engine_description");
  write_frames(folder / "frame");
  const std::filesystem::path bundles = folder / "bundle";
  const std::filesystem::path manifests = folder / "manifest";
  std::filesystem::create_directories(bundles);
  std::filesystem::create_directories(manifests);
  const MemberList members = plait::testing::example_members();
  write_bundle(bundles / "example", light_bundle());
  write_bundle(bundles / "smallest", smallest_bundle());
  write_bundle(bundles / "deflated", plait::testing::write_archive(members, {.deflate = true}));
  write_bundle(bundles / "unaligned", plait::testing::write_archive(members, {.align = false}));
  write_bundle(bundles / "comments",
               plait::testing::write_archive({{"manifest.json", "{}"}},
                                             {.archive_comment = "a", .member_comment = "b"}));
  const std::string manifest = plait::testing::example_manifest().dump();
  write(manifests / "example", manifest.data(), manifest.size());
  const std::string frames = plait::testing::frame_manifest().dump();
  write(manifests / "frame", frames.data(), frames.size());
  const std::string sounds = plait::testing::sound_manifest().dump();
  write(manifests / "sound", sounds.data(), sounds.size());
  const std::string points = plait::testing::points_manifest().dump();
  write(manifests / "points", points.data(), points.size());
  write(manifests / "empty", "{}", 2);
  write_calls(folder / "ops");
  write_clouds(folder / "points");
  write_sounds(folder);
  make_texts(folder / "tokenizer", folder / "text");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: make_corpus FOLDER\n";
    return 2;
  }
  try {
    make_corpus(arguments[1]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
