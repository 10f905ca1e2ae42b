// op_cases.cpp: a draw for each operator: sizes that are odd, one or nothing, and right indices.
#include "op_cases.hpp"

#include <numeric>
#include <string>

#include "base/half.hpp"

namespace plait::testing {
namespace {

using ops::Attributes;

const ops::Schema& schema_of(std::string_view name) { return *ops::op_named(name).schema; }

OpCall call_of(std::string_view name, const Attributes& attributes, std::vector<Tensor> inputs) {
  return {attributes, ops::op_named(name).make(attributes), std::move(inputs)};
}

Tensor reals(Choices& choices, DType dtype, const Shape& shape, float least = -3.0F,
             float most = 3.0F) {
  Tensor tensor(dtype, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    write(tensor.view(), i, choices.real(least, most));
  }
  return tensor;
}

Tensor indices(const Shape& shape, std::span<const std::int32_t> values) {
  Tensor tensor(DType::kInt32, shape);
  std::copy(values.begin(), values.end(), tensor.view().as_span<std::int32_t>().begin());
  return tensor;
}

std::vector<std::int32_t> below(Choices& choices, std::int64_t count, std::int64_t limit) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  for (std::int32_t& value : values) value = static_cast<std::int32_t>(choices.whole(0, limit - 1));
  return values;
}

/// [segments + 1] running totals that end in rows.
Tensor offsets(Choices& choices, std::int64_t segments, std::int64_t rows) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(segments) + 1);
  for (std::int32_t& value : values) value = static_cast<std::int32_t>(choices.whole(0, rows));
  std::sort(values.begin(), values.end());
  values.front() = 0;
  values.back() = static_cast<std::int32_t>(rows);
  return indices(Shape{segments + 1}, values);
}

OpCall skeleton(Choices& choices, DType floats) {
  const std::int64_t rows = choices.size(9);
  const std::int64_t channels = choices.size(70);
  Attributes attributes(schema_of("Skeleton"));
  attributes.set("gain", choices.real(-2.0F, 2.0F));
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{rows, channels}));
  inputs.push_back(reals(choices, floats, Shape{channels}));
  return call_of("Skeleton", attributes, std::move(inputs));
}

OpCall gated_fusion(Choices& choices, DType floats) {
  const Shape shape{choices.size(5), choices.size(9), choices.size(70)};
  Attributes attributes(schema_of("GatedFusion"));
  // Below this, channels that are all alike turn rounding into answers.
  attributes.set("epsilon", choices.real(1e-2F, 1.0F));
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, shape, -9.0F, 9.0F));
  inputs.push_back(reals(choices, floats, shape));
  inputs.push_back(reals(choices, floats, Shape{shape[2]}));
  inputs.push_back(reals(choices, floats, Shape{shape[2]}));
  return call_of("GatedFusion", attributes, std::move(inputs));
}

OpCall segment_reduce(Choices& choices, DType floats) {
  const std::int64_t segments = choices.size(12);
  const std::int64_t rows = segments == 0 ? 0 : choices.size(60);
  Attributes attributes(schema_of("SegmentReduce"));
  attributes.set("reduce", std::string(choices.one_of({"sum", "mean", "max"})));
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{rows, choices.size(40)}));
  inputs.push_back(offsets(choices, segments, rows));
  return call_of("SegmentReduce", attributes, std::move(inputs));
}

OpCall bev_pool(Choices& choices, DType floats) {
  const Shape depth{choices.size(3), choices.size(5), choices.size(5), choices.size(5)};
  const Shape context{depth[0], choices.size(40), depth[2], depth[3]};
  const std::int64_t rows = choices.whole(1, 6);
  const std::int64_t cells = rows * choices.size(9);
  const std::int64_t points = depth.elements() == 0 || cells == 0 ? 0 : choices.size(99);
  Attributes attributes(schema_of("BevPool"));
  attributes.set("rows", rows);
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, depth, 0.0F, 1.0F));
  inputs.push_back(reals(choices, floats, context));
  inputs.push_back(indices(Shape{points}, below(choices, points, depth.elements())));
  inputs.push_back(indices(Shape{points}, below(choices, points, depth[0] * depth[2] * depth[3])));
  inputs.push_back(offsets(choices, cells, points));
  return call_of("BevPool", attributes, std::move(inputs));
}

OpCall deformable_attention(Choices& choices, DType floats) {
  const std::int64_t levels = choices.size(4);
  std::vector<std::int32_t> shapes(static_cast<std::size_t>(2 * levels));
  for (auto& side : shapes) side = static_cast<std::int32_t>(choices.whole(1, 9));
  std::int64_t positions = 0;
  for (std::size_t i = 0; i < shapes.size(); i += 2) positions += shapes[i] * shapes[i + 1];
  const std::int64_t batch = choices.size(2);
  const std::int64_t heads = choices.size(3);
  const Shape weights{batch, choices.size(7), heads, levels, choices.size(9)};
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{batch, positions, heads, choices.size(40)}));
  inputs.push_back(indices(Shape{levels, 2}, shapes));
  inputs.push_back(reals(choices, floats,
                         Shape{weights[0], weights[1], weights[2], weights[3], weights[4], 2},
                         -0.3F, 1.3F));
  inputs.push_back(reals(choices, floats, weights, 0.0F, 0.2F));
  constexpr std::string_view kName = "MultiScaleDeformableAttention";
  return call_of(kName, Attributes(schema_of(kName)), std::move(inputs));
}

OpCall pillar_scatter(Choices& choices, DType floats) {
  const std::int64_t points = choices.size(90);
  const std::int64_t rows = choices.whole(1, 9);
  const std::int64_t columns = choices.whole(1, 9);
  Attributes attributes(schema_of("PillarScatter"));
  attributes.set("rows", rows);
  attributes.set("columns", columns);
  attributes.set("reduce", std::string(choices.one_of({"max", "mean", "sum"})));
  auto cells = below(choices, points, rows * columns + 1);
  for (std::int32_t& cell : cells) --cell;  // -1: left out
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{points, choices.size(40)}));
  inputs.push_back(indices(Shape{points}, cells));
  return call_of("PillarScatter", attributes, std::move(inputs));
}

OpCall presence_pack(Choices& choices, DType floats) {
  const std::int64_t modalities = choices.size(5);
  const auto lengths = below(choices, modalities, 9);
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  const std::int64_t batch = choices.size(4);
  constexpr std::string_view kName = "PresencePack";
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{batch, tokens, choices.size(40)}));
  inputs.push_back(reals(choices, floats, Shape{batch, modalities}, 0.0F, 1.0F));
  inputs.push_back(indices(Shape{modalities}, lengths));
  return call_of(kName, Attributes(schema_of(kName)), std::move(inputs));
}

OpCall presence_unpack(Choices& choices, DType floats) {
  const std::int64_t batch = choices.size(4);
  const std::int64_t tokens = choices.size(20);
  const std::int64_t slots = choices.whole(0, tokens);
  const std::int64_t channels = choices.size(40);
  std::vector<std::int32_t> positions;
  for (std::int64_t row = 0; row < batch; ++row) {
    std::vector<std::int32_t> kept(static_cast<std::size_t>(tokens));
    std::iota(kept.begin(), kept.end(), 0);
    for (std::int64_t left = choices.whole(tokens - slots, tokens); left > 0; --left) {
      kept.erase(kept.begin() + choices.whole(0, static_cast<std::int64_t>(kept.size()) - 1));
    }
    kept.resize(static_cast<std::size_t>(slots), -1);
    positions.insert(positions.end(), kept.begin(), kept.end());
  }
  constexpr std::string_view kName = "PresenceUnpack";
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{batch, slots, channels}));
  inputs.push_back(indices(Shape{batch, slots}, positions));
  inputs.push_back(reals(choices, floats, Shape{tokens, channels}));
  return call_of(kName, Attributes(schema_of(kName)), std::move(inputs));
}

OpCall voxel_reduce(Choices& choices, DType floats) {
  const std::vector<float> lower{-2.0F, -2.0F, -1.0F};
  const std::vector<float> size{0.5F, 0.25F, 1.0F};
  std::vector<float> upper(3);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    upper[axis] = lower[axis] + size[axis] * static_cast<float>(choices.whole(1, 9));
  }
  Attributes attributes(schema_of("VoxelReduce"));
  attributes.set("lower", lower);
  attributes.set("upper", upper);
  attributes.set("size", size);
  attributes.set("capacity", choices.whole(1, 60));
  attributes.set("reduce", std::string(choices.one_of({"mean", "max"})));
  std::vector<Tensor> inputs;
  inputs.push_back(reals(choices, floats, Shape{choices.size(200), 3 + choices.size(20)}));
  inputs.push_back(reals(choices, DType::kFloat32, Shape{3, 4}, -1.0F, 1.0F));
  return call_of("VoxelReduce", attributes, std::move(inputs));
}

}  // namespace

std::vector<ConstTensorView> OpCall::views() const {
  std::vector<ConstTensorView> list;
  for (const Tensor& input : inputs) list.push_back(input.view());
  return list;
}

std::span<const OpCase> op_cases() {
  static const std::vector<OpCase> cases = {
      {"BevPool", bev_pool, 1e-5, 1e-3, {0, 1}},
      {"GatedFusion", gated_fusion, 1e-4, 2e-3, {0, 1, 2, 3}},
      {"MultiScaleDeformableAttention", deformable_attention, 1e-5, 4e-3, {0}},
      {"PillarScatter", pillar_scatter, 1e-5, 1e-3, {0}},
      {"PresencePack", presence_pack, 0.0, 0.0, {0, 1}},
      {"PresenceUnpack", presence_unpack, 0.0, 0.0, {0, 2}},
      {"SegmentReduce", segment_reduce, 1e-5, 1e-3, {0}},
      {"Skeleton", skeleton, 1e-6, 2e-3, {0, 1}},
      {"VoxelReduce", voxel_reduce, 1e-5, 1e-3, {0, 1}},
  };
  return cases;
}

float read(const ConstTensorView& tensor, std::int64_t at) {
  if (tensor.dtype == DType::kFloat32) return static_cast<const float*>(tensor.data)[at];
  return detail::float_of_half(static_cast<const std::uint16_t*>(tensor.data)[at]);
}

void write(const TensorView& tensor, std::int64_t at, float value) {
  if (tensor.dtype == DType::kFloat32) {
    static_cast<float*>(tensor.data)[at] = value;
  } else {
    static_cast<std::uint16_t*>(tensor.data)[at] = detail::half_of_any(value);
  }
}

}  // namespace plait::testing
