// bundle_writer.cpp: archives by minizip's writer over a growing buffer.
#include "bundle_writer.hpp"

#include <minizip/zip.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>

#include "bundle/sha256.hpp"

namespace plait::testing {
namespace {

using nlohmann::json;

struct Buffer {
  Bytes bytes;
  std::size_t position = 0;
};

voidpf open_buffer(voidpf buffer, const void*, int) { return buffer; }

uLong read_buffer(voidpf, voidpf, void*, uLong) { return 0; }

uLong write_buffer(voidpf, voidpf stream, const void* data, uLong size) {
  auto& buffer = *static_cast<Buffer*>(stream);
  buffer.bytes.resize(std::max(buffer.bytes.size(), buffer.position + size));
  if (size > 0) std::memcpy(buffer.bytes.data() + buffer.position, data, size);
  buffer.position += size;
  return size;
}

ZPOS64_T tell_buffer(voidpf, voidpf stream) { return static_cast<Buffer*>(stream)->position; }

long seek_buffer(voidpf, voidpf stream, ZPOS64_T offset, int origin) {
  auto& buffer = *static_cast<Buffer*>(stream);
  std::size_t base = 0;
  if (origin == ZLIB_FILEFUNC_SEEK_CUR) base = buffer.position;
  if (origin == ZLIB_FILEFUNC_SEEK_END) base = buffer.bytes.size();
  buffer.position = base + offset;
  return 0;
}

int close_buffer(voidpf, voidpf) { return 0; }

void require(int status) {
  if (status != ZIP_OK) throw std::runtime_error("minizip refused to write");
}

/// An extra field that moves the data of the member to a multiple of 64 bytes.
Bytes alignment_field(std::size_t header_position, const std::string& name) {
  constexpr std::size_t kFieldHeader = 4;
  constexpr std::uint64_t kAlignmentId = 0xd935;
  const std::size_t unaligned = header_position + 30 + name.size() + kFieldHeader;
  const std::size_t padding = (64 - unaligned % 64) % 64;
  Bytes field(kFieldHeader + padding);
  patch(field, 0, kAlignmentId, 2);
  patch(field, 2, padding, 2);
  return field;
}

}  // namespace

void patch(Bytes& bytes, std::size_t position, std::uint64_t value, std::size_t count) {
  for (std::size_t index = 0; index < count; ++index) {
    bytes.at(position + index) = static_cast<std::byte>(value >> (8 * index));
  }
}

Bytes write_archive(const MemberList& members, const ArchiveOptions& options) {
  Buffer buffer;
  zlib_filefunc64_def functions{};
  functions.zopen64_file = open_buffer;
  functions.zread_file = read_buffer;
  functions.zwrite_file = write_buffer;
  functions.ztell64_file = tell_buffer;
  functions.zseek64_file = seek_buffer;
  functions.zclose_file = close_buffer;
  functions.zerror_file = close_buffer;
  functions.opaque = &buffer;
  zipFile zip = zipOpen2_64("", APPEND_STATUS_CREATE, nullptr, &functions);
  if (zip == nullptr) throw std::runtime_error("minizip refused to start an archive");
  const zip_fileinfo info{};
  for (const auto& [name, contents] : members) {
    Bytes extra;
    if (options.align) extra = alignment_field(buffer.position, name);
    const char* comment = options.member_comment.empty() ? nullptr : options.member_comment.c_str();
    require(zipOpenNewFileInZip64(zip, name.c_str(), &info, extra.data(),
                                  static_cast<uInt>(extra.size()), nullptr, 0, comment,
                                  options.deflate ? Z_DEFLATED : 0, options.deflate ? 6 : 0, 0));
    require(zipWriteInFileInZip(zip, contents.data(), static_cast<unsigned>(contents.size())));
    require(zipCloseFileInZip(zip));
  }
  require(
      zipClose(zip, options.archive_comment.empty() ? nullptr : options.archive_comment.c_str()));
  return std::move(buffer.bytes);
}

ArchivePositions positions_of(const Bytes& archive) {
  const std::string_view text(reinterpret_cast<const char*>(archive.data()), archive.size());
  ArchivePositions positions;
  for (std::size_t at = 0; (at = text.find("PK", at)) != std::string_view::npos; ++at) {
    const std::string_view signature = text.substr(at, 4);
    if (signature == std::string_view("PK\x03\x04", 4)) positions.local_headers.push_back(at);
    if (signature == std::string_view("PK\x01\x02", 4)) positions.directory_entries.push_back(at);
    if (signature == std::string_view("PK\x05\x06", 4)) positions.end_record = at;
  }
  return positions;
}

json hashes_of(const MemberList& members) {
  json result = json::object();
  for (const auto& [name, contents] : members) {
    result[name] = {{"sha256", detail::sha256_hex(std::as_bytes(std::span(contents)))},
                    {"bytes", contents.size()}};
  }
  return result;
}

MemberList example_members() {
  return {
      {"graphs/wrist_encoder.fp32.onnx", std::string(1001, 'w')},
      {"graphs/wrist_encoder.int8.onnx", std::string(333, 'i')},
      {"graphs/chest_encoder.fp32.onnx", std::string(64, 'c')},
      {"graphs/exercise_head.fp32.onnx", std::string(7, 'e')},
      {"graphs/effort_head.fp32.onnx", std::string(65, 'f')},
      {"graphs/place_head.fp32.onnx", ""},
      {"golden/0/sample.wrist.npy", std::string(129, 's')},
      {"golden/0/fuse.exercise.npy", "f"},
  };
}

json example_manifest() {
  json manifest = json::parse(R"({
    "format": "plait-bundle", "format_version": {"major": 1, "minor": 0},
    "name": "example", "description": "Two sensors,\nthree heads.", "created": "2026-11-23T15:00:00Z",
    "lineage": {"data": {"name": "none"}, "packages": {"torch": "2.13.0"}},
    "modalities": [
      {"name": "wrist", "kind": "signal", "encoder": "wrist_encoder", "max_age_ms": 400.0,
       "when_missing": "learned",
       "signal": {"channels": ["x", "y", "z"], "unit": "m/s^2", "rate_hz": 50.0,
                  "rate_tolerance": 0.1, "window": 100, "max_gap_ms": 60.5, "layout": "NCT",
                  "mean": [0.1, 0, 9.6], "std": [1.0, 2, 0.5],
                  "sensor": {"channels": ["x", "y", "z"], "unit": "m/s^2"}}},
      {"name": "chest", "kind": "signal", "encoder": "chest_encoder", "max_age_ms": 1000,
       "when_missing": "refuse",
       "signal": {"channels": ["z", "x"], "unit": "rad/s", "rate_hz": 100, "window": 37,
                  "layout": "NTC", "mean": [0, 0], "std": [1, 1],
                  "sensor": {"channels": ["-x", "y", "z"], "unit": "deg/s"}}}],
    "graphs": [
      {"name": "wrist_encoder", "role": "encoder",
       "inputs": [{"name": "sample", "dtype": "float32", "shape": ["batch", 3, 100]}],
       "outputs": [{"name": "embedding", "dtype": "float32", "shape": ["batch", 64]}]},
      {"name": "chest_encoder", "role": "encoder",
       "inputs": [{"name": "sample", "dtype": "float32", "shape": ["batch", 37, 2]}],
       "outputs": [{"name": "embedding", "dtype": "float32", "shape": ["batch", 5, 16]}]},
      {"name": "exercise_head", "role": "head",
       "inputs": [{"name": "wrist", "dtype": "float32", "shape": ["batch", 64]},
                  {"name": "chest", "dtype": "float32", "shape": ["batch", 5, 16]},
                  {"name": "presence", "dtype": "float32", "shape": ["batch", 2]}],
       "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 3]}]},
      {"name": "effort_head", "role": "head",
       "inputs": [{"name": "chest", "dtype": "float32", "shape": ["batch", 5, 16]},
                  {"name": "presence", "dtype": "float32", "shape": ["batch", 1]}],
       "outputs": [{"name": "value", "dtype": "float32", "shape": ["batch", 1]}]},
      {"name": "place_head", "role": "head",
       "inputs": [{"name": "wrist", "dtype": "float32", "shape": ["batch", 64]},
                  {"name": "presence", "dtype": "float32", "shape": ["batch", 1]}],
       "outputs": [{"name": "embedding", "dtype": "float32", "shape": ["batch", 8]}]}],
    "heads": [
      {"name": "exercise", "kind": "classification", "graph": "exercise_head",
       "modalities": ["wrist", "chest"], "labels": ["press", "row", "rest"]},
      {"name": "effort", "kind": "regression", "graph": "effort_head",
       "modalities": ["chest"], "labels": ["power"], "units": ["W"]},
      {"name": "place", "kind": "embedding", "graph": "place_head", "modalities": ["wrist"]}],
    "variants": [
      {"precision": "fp32", "scheme": "float", "form": "portable", "median_us": 84.0,
       "members": {"wrist_encoder": "graphs/wrist_encoder.fp32.onnx",
                   "chest_encoder": "graphs/chest_encoder.fp32.onnx",
                   "exercise_head": "graphs/exercise_head.fp32.onnx",
                   "effort_head": "graphs/effort_head.fp32.onnx",
                   "place_head": "graphs/place_head.fp32.onnx"}},
      {"precision": "int8", "scheme": "static u8u8", "form": "portable",
       "members": {"wrist_encoder": "graphs/wrist_encoder.int8.onnx",
                   "chest_encoder": "graphs/chest_encoder.fp32.onnx",
                   "exercise_head": "graphs/exercise_head.fp32.onnx",
                   "effort_head": "graphs/effort_head.fp32.onnx",
                   "place_head": "graphs/place_head.fp32.onnx"}}],
    "default_precision": "int8",
    "gate": {"metric": "accuracy", "max_drop": 0.005, "attempts": []},
    "quality": [
      {"head": "exercise", "presence": ["wrist", "chest"], "precision": "fp32",
       "metric": "accuracy", "value": 0.91, "samples": 512},
      {"head": "exercise", "presence": ["chest"], "precision": "int8",
       "metric": "accuracy", "value": 0.78, "samples": 512}],
    "golden": {
      "cases": [{"name": "0", "presence": ["wrist", "chest"],
                 "stages": {"sample:wrist": "golden/0/sample.wrist.npy",
                            "fuse:exercise": "golden/0/fuse.exercise.npy"},
                 "precisions": {"int8": {"fuse:exercise": "golden/0/fuse.exercise.npy"}}}],
      "tolerance": {"prepare": 1e-5, "fp32": 1e-4, "int8": 0.05}}
  })");
  manifest["members"] = hashes_of(example_members());
  return manifest;
}

json frame_manifest() {
  json manifest = example_manifest();
  json& modality = manifest["modalities"][0];
  modality.erase("signal");
  modality["kind"] = "frame";
  modality["frame"] = json::parse(R"({
    "channels": "BGR", "sensor": {"format": "nv12", "matrix": "bt601", "range": "full"},
    "resize": {"fit": "shortest", "size": [41, 41], "filter": "lanczos", "antialias": true, "pad": 7.5},
    "crop": {"size": [37, 29], "rounding": "half_even"},
    "arithmetic": "exact", "scale": 0.00392156862745098,
    "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "layout": "NHWC"
  })");
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 37, 29, 3};
  return manifest;
}

json sound_manifest() {
  json manifest = example_manifest();
  json& modality = manifest["modalities"][0];
  modality.erase("signal");
  modality["kind"] = "sound";
  modality["sound"] = json::parse(R"({
    "sensor": {"rate_hz": 48000.0, "channels": 2}, "channel": 1, "rate_hz": 16000.0,
    "resampler": {"zeros": 24, "rolloff": 0.9, "beta": 11.5},
    "window": 16000, "shorter": "repeat", "longer": "last", "gain": 32768.0,
    "family": "custom", "features": "mfcc",
    "mel": {"length": 400, "step": 160, "fft": 512, "window": "povey", "edges": "kaldi",
            "drop_last": true, "remove_mean": true, "preemphasis": 0.97, "spectrum": "magnitude",
            "bins": 23, "low_hz": 20.0, "high_hz": 7600.0, "scale": "kaldi", "norm": "slaney",
            "log": {"kind": "db", "floor": 1e-10, "offset": 0.5, "reference": "max", "range": 80.0},
            "coefficients": 3, "lifter": 22.0, "frames": 120, "pad": -1.5},
    "mean": [-4.0, 1.0, 2.0], "std": [4.0], "layout": "NTF"
  })");
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 120, 3};
  return manifest;
}

json points_manifest() {
  json manifest = example_manifest();
  json& modality = manifest["modalities"][0];
  modality.erase("signal");
  modality["kind"] = "points";
  modality["points"] = json::parse(R"({
    "channels": ["x", "y", "z", "intensity"], "capacity": 20000, "overflow": "spread",
    "range": {"lower": [-54, -54.5, -5], "upper": [54, 54.5, 3]},
    "mean": [0, 0, 0, 20], "std": [1, 1, 1, 30],
    "sensor": {"channels": ["z", "y", "x", "ring", "intensity"], "unit": "cm",
               "extrinsics": [[0, -1, 0, 1.5], [1, 0, 0, -0.5], [0, 0, 1, 1.75]]}
  })");
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 20000, 4};
  return manifest;
}

Bytes write_bundle(const std::string& manifest, const MemberList& members) {
  MemberList all{{"manifest.json", manifest}};
  all.insert(all.end(), members.begin(), members.end());
  return write_archive(all);
}

Bytes example_bundle() { return write_bundle(example_manifest().dump(1), example_members()); }

}  // namespace plait::testing
