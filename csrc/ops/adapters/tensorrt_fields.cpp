// tensorrt_fields.cpp: attributes from fields, and the reverse.
#include "ops/adapters/tensorrt_fields.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "plait/error.hpp"

namespace plait::ops {
namespace {

using nvinfer1::PluginField;
using nvinfer1::PluginFieldType;

[[noreturn]] void refuse(const Schema& schema, std::string where, std::string expected,
                         std::string got) {
  throw ConfigError({.where = "plugin " + std::string(schema.name) + std::move(where),
                     .expected = std::move(expected),
                     .got = std::move(got),
                     .action = "Export the graph anew with plait_export."});
}

std::string type_text(const PluginField& field) {
  return std::to_string(field.length) + " values of field type " +
         std::to_string(static_cast<int>(field.type)) + (field.data == nullptr ? ", no data" : "");
}

/// Elements of a field, which may lie anywhere in memory.
template <typename T>
std::vector<T> values_of(const PluginField& field) {
  std::vector<T> values(static_cast<std::size_t>(field.length));
  if (!values.empty()) std::memcpy(values.data(), field.data, values.size() * sizeof(T));
  return values;
}

void read_field(const Schema& schema, const AttributeSpec& spec, const PluginField& field,
                Attributes& attributes) {
  const auto fail = [&](const char* expected) {
    refuse(schema, ", field " + std::string(spec.name), expected, type_text(field));
  };
  if (field.length < 0 || (field.length > 0 && field.data == nullptr)) fail("data");
  switch (spec.kind) {
    case AttributeKind::kFloat:
      if (field.type != PluginFieldType::kFLOAT32 || field.length != 1) fail("one float32");
      return attributes.set(spec.name, values_of<float>(field).front());
    case AttributeKind::kFloats:
      if (field.type != PluginFieldType::kFLOAT32) fail("float32");
      return attributes.set(spec.name, values_of<float>(field));
    case AttributeKind::kInt:
      if (field.length != 1) fail("one int32 or int64");
      if (field.type == PluginFieldType::kINT32) {
        return attributes.set(spec.name, std::int64_t{values_of<std::int32_t>(field).front()});
      }
      if (field.type != PluginFieldType::kINT64) fail("one int32 or int64");
      return attributes.set(spec.name, values_of<std::int64_t>(field).front());
    case AttributeKind::kWord: {
      if (field.type != PluginFieldType::kCHAR) fail("characters");
      const auto characters = values_of<char>(field);
      // Versions of the ONNX parser differ in whether the terminator is counted.
      return attributes.set(
          spec.name,
          std::string(characters.begin(), std::find(characters.begin(), characters.end(), '\0')));
    }
  }
}

PluginFieldType type_of(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::kInt:
      return PluginFieldType::kINT64;
    case AttributeKind::kWord:
      return PluginFieldType::kCHAR;
    default:
      return PluginFieldType::kFLOAT32;
  }
}

}  // namespace

Attributes read_fields(const Schema& schema, const nvinfer1::PluginFieldCollection* fields) {
  Attributes attributes(schema);
  if (fields != nullptr && fields->nbFields > 0 && fields->fields == nullptr) {
    refuse(schema, "", "fields", "a collection that points nowhere");
  }
  const auto given = fields == nullptr || fields->nbFields <= 0
                         ? std::span<const PluginField>()
                         : std::span(fields->fields, static_cast<std::size_t>(fields->nbFields));
  for (const PluginField& field : given) {
    const std::string_view name = field.name == nullptr ? "" : field.name;
    const auto specs = schema.attributes();
    const auto found = std::find_if(specs.begin(), specs.end(),
                                    [&](const AttributeSpec& spec) { return spec.name == name; });
    if (found == specs.end()) {
      refuse(schema, "", "only fields of the operator", "a field named " + std::string(name));
    }
    read_field(schema, *found, field, attributes);
  }
  attributes.check();
  return attributes;
}

Fields::Fields(const Schema& schema, const Attributes& attributes) : Fields(schema) {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const AttributeSpec& spec = schema.attributes()[i];
    PluginField& field = fields_[i];
    field.length = 1;
    switch (spec.kind) {
      case AttributeKind::kFloat:
        field.data = numbers_.emplace_back(1, attributes.number(spec.name)).data();
        break;
      case AttributeKind::kFloats: {
        const auto values = attributes.numbers(spec.name);
        field.data = numbers_.emplace_back(values.begin(), values.end()).data();
        field.length = static_cast<std::int32_t>(values.size());
        break;
      }
      case AttributeKind::kInt:
        field.data = &wholes_.emplace_back(attributes.whole(spec.name));
        break;
      case AttributeKind::kWord: {
        const std::string& word = words_.emplace_back(attributes.word(spec.name));
        field.data = word.data();
        field.length = static_cast<std::int32_t>(word.size());
        break;
      }
    }
  }
}

Fields::Fields(const Schema& schema) {
  for (const AttributeSpec& spec : schema.attributes()) {
    fields_.emplace_back(words_.emplace_back(spec.name).c_str(), nullptr, type_of(spec.kind), 0);
  }
  collection_ = {static_cast<std::int32_t>(fields_.size()), fields_.data()};
}

std::string Fields::text() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const PluginField& field : fields_) {
    const std::size_t element = field.type == PluginFieldType::kINT64  ? sizeof(std::int64_t)
                                : field.type == PluginFieldType::kCHAR ? sizeof(char)
                                                                       : sizeof(float);
    const std::span bytes(static_cast<const unsigned char*>(field.data),
                          static_cast<std::size_t>(field.length) * element);
    text += field.name;
    text += '=';
    for (const unsigned char byte : bytes) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    text += ';';
  }
  return text;
}

}  // namespace plait::ops
