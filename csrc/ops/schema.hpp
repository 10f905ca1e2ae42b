// ops/schema.hpp: what an operator is called, takes, gives and can be told: one description for
// every backend.
//
// A schema is a constant, built left to right:
//
//   static constexpr Schema kSchema = schema("GatedFusion", "Weighs, sums and normalises ...")
//                                         .input("gate", kFloats, "[modalities, tokens, channels]")
//                                         .attribute("epsilon", 1e-5F, "added to the variance")
//                                         .output("y", kFloats, "[tokens, channels]");
//
// Tensors of one type group ('T', 'I') have the same element type in every call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "plait/tensor.hpp"

namespace plait::ops {

/// The operators' domain in ONNX graphs, and its version.
inline constexpr const char* kDomain = "ai.plait";
inline constexpr int kDomainVersion = 1;

/// Element types that a tensor may have, all tensors of a group the same.
struct TypeGroup {
  char name = 'T';
  std::array<DType, 4> types{};
  std::size_t count = 0;

  constexpr std::span<const DType> all() const noexcept { return {types.data(), count}; }
};

inline constexpr TypeGroup kFloat32Only{'F', {DType::kFloat32}, 1};
inline constexpr TypeGroup kFloats{'T', {DType::kFloat32, DType::kFloat16}, 2};
inline constexpr TypeGroup kIndices{'I', {DType::kInt32}, 1};

struct TensorSpec {
  std::string_view name;
  TypeGroup group;
  std::string_view shape;  ///< "[modalities, tokens, channels]": a formula, see shape_rule.hpp
};

enum class AttributeKind : std::uint8_t { kFloat, kInt, kFloats, kWord };

struct AttributeSpec {
  std::string_view name;
  AttributeKind kind = AttributeKind::kFloat;
  float number = 0.0F;     ///< default of kFloat
  std::int64_t whole = 0;  ///< default of kInt
  std::string_view word;   ///< default of kWord
  bool required = false;   ///< no default
  std::string_view doc;
};

inline constexpr std::size_t kMaxInputs = 8;
inline constexpr std::size_t kMaxOutputs = 4;
inline constexpr std::size_t kMaxAttributes = 12;

struct Schema {
  std::string_view name;
  std::string_view doc;
  std::array<TensorSpec, kMaxInputs> input_specs{};
  std::array<TensorSpec, kMaxOutputs> output_specs{};
  std::array<AttributeSpec, kMaxAttributes> attribute_specs{};
  std::size_t input_count = 0;
  std::size_t output_count = 0;
  std::size_t attribute_count = 0;
  bool shapes_from_values = false;    ///< outputs' shapes depend on inputs' values
  std::string_view size_from_values;  ///< the dimension of outputs that does
  std::string_view most_from_values;  ///< the dimension of an input that it never exceeds

  constexpr std::span<const TensorSpec> inputs() const noexcept {
    return {input_specs.data(), input_count};
  }
  constexpr std::span<const TensorSpec> outputs() const noexcept {
    return {output_specs.data(), output_count};
  }
  constexpr std::span<const AttributeSpec> attributes() const noexcept {
    return {attribute_specs.data(), attribute_count};
  }

  constexpr Schema input(std::string_view tensor, TypeGroup group, std::string_view shape) const {
    Schema next = *this;
    next.input_specs.at(next.input_count++) = {tensor, group, shape};
    return next;
  }
  constexpr Schema output(std::string_view tensor, TypeGroup group, std::string_view shape) const {
    Schema next = *this;
    next.output_specs.at(next.output_count++) = {tensor, group, shape};
    return next;
  }
  constexpr Schema attribute(std::string_view key, float value, std::string_view about) const {
    return with({key, AttributeKind::kFloat, value, 0, {}, false, about});
  }
  constexpr Schema attribute(std::string_view key, std::int64_t value,
                             std::string_view about) const {
    return with({key, AttributeKind::kInt, 0.0F, value, {}, false, about});
  }
  constexpr Schema attribute(std::string_view key, std::string_view value,
                             std::string_view about) const {
    return with({key, AttributeKind::kWord, 0.0F, 0, value, false, about});
  }
  constexpr Schema required(std::string_view key, AttributeKind kind,
                            std::string_view about) const {
    return with({key, kind, 0.0F, 0, {}, true, about});
  }

  constexpr Schema with_shapes_from_values(std::string_view size, std::string_view most) const {
    Schema next = *this;
    next.shapes_from_values = true;
    next.size_from_values = size;
    next.most_from_values = most;
    return next;
  }

 private:
  constexpr Schema with(const AttributeSpec& attribute) const {
    Schema next = *this;
    next.attribute_specs.at(next.attribute_count++) = attribute;
    return next;
  }
};

constexpr Schema schema(std::string_view name, std::string_view doc) {
  Schema first;
  first.name = name;
  first.doc = doc;
  return first;
}

}  // namespace plait::ops
