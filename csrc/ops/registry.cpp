// registry.cpp: the list of operators. Adding one is a line here and a folder beside it.
#include <array>

#include "ops/bev_pool/op.hpp"
#include "ops/gated_fusion/op.hpp"
#include "ops/multi_scale_deformable_attention/op.hpp"
#include "ops/op.hpp"
#include "ops/pillar_scatter/op.hpp"
#include "ops/presence_pack/op.hpp"
#include "ops/presence_unpack/op.hpp"
#include "ops/segment_reduce/op.hpp"
#include "ops/skeleton/op.hpp"
#include "ops/voxel_reduce/op.hpp"

namespace plait::ops {
namespace {

template <typename T>
constexpr OpEntry entry() {
  return {&T::kSchema, [](const Attributes& attributes) -> std::unique_ptr<Op> {
            return std::make_unique<OpModel<T>>(attributes);
          }};
}

constexpr std::array kOperators = {
    entry<BevPool>(),       entry<GatedFusion>(),  entry<MultiScaleDeformableAttention>(),
    entry<PillarScatter>(), entry<PresencePack>(), entry<PresenceUnpack>(),
    entry<SegmentReduce>(), entry<Skeleton>(),     entry<VoxelReduce>(),
};

}  // namespace

std::span<const OpEntry> registry() noexcept { return kOperators; }

}  // namespace plait::ops
