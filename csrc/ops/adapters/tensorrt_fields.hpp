// ops/adapters/tensorrt_fields.hpp: attributes of operators as fields of TensorRT's plugins.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "ops/op.hpp"

namespace plait::ops {

/// Attributes that the fields say, others at their defaults. Throws ConfigError for a field that
/// the schema lacks, of another type or length, and for a required one that is missing.
Attributes read_fields(const Schema& schema, const nvinfer1::PluginFieldCollection* fields);

/// Fields that hold their own data, for as long as the object lives. Immutable once made.
class Fields {
 public:
  /// With values, as a plugin is serialised: every attribute.
  Fields(const Schema& schema, const Attributes& attributes);
  /// Without, as a creator announces what it reads.
  explicit Fields(const Schema& schema);
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  const nvinfer1::PluginFieldCollection* collection() const noexcept { return &collection_; }
  /// All values in words: equal exactly where the attributes are.
  std::string text() const;

 private:
  std::deque<std::string> words_;
  std::deque<std::vector<float>> numbers_;
  std::deque<std::int64_t> wholes_;
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection collection_{};
};

}  // namespace plait::ops
