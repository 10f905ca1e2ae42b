// cuda.cpp: the list of operators with a CUDA implementation, and the checks before a call.
#include "ops/cuda.hpp"

#include <array>
#include <cstdint>
#include <string>

#include "ops/bev_pool/op.hpp"
#include "ops/gated_fusion/op.hpp"
#include "ops/multi_scale_deformable_attention/op.hpp"
#include "ops/pillar_scatter/op.hpp"
#include "ops/presence_pack/op.hpp"
#include "ops/presence_unpack/op.hpp"
#include "ops/segment_reduce/op.hpp"
#include "ops/skeleton/op.hpp"
#include "ops/voxel_reduce/op.hpp"
#include "plait/error.hpp"

namespace plait::ops {
namespace {

template <typename T>
constexpr CudaEntry entry() {
  return {&T::kSchema, [](const Attributes& attributes) -> std::unique_ptr<CudaOp> {
            return std::make_unique<CudaModel<T>>(attributes);
          }};
}

constexpr std::array kOperators = {
    entry<BevPool>(),       entry<GatedFusion>(),  entry<MultiScaleDeformableAttention>(),
    entry<PillarScatter>(), entry<PresencePack>(), entry<PresenceUnpack>(),
    entry<SegmentReduce>(), entry<Skeleton>(),     entry<VoxelReduce>(),
};

}  // namespace

std::span<const CudaEntry> cuda_registry() noexcept { return kOperators; }

const CudaEntry& cuda_op_named(std::string_view name) {
  std::string known;
  for (const CudaEntry& entry : cuda_registry()) {
    if (entry.schema->name == name) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.schema->name);
  }
  throw ConfigError({.where = "operators on CUDA",
                     .expected = "one of " + known,
                     .got = "'" + std::string(name) + "'",
                     .action = ""});
}

void run_on_cuda(const CudaOp& op, const Arguments& arguments, CudaStream stream,
                 std::int32_t* size) {
  check_arguments(op.op(), arguments);
  const std::size_t scratch = op.scratch_bytes(arguments.inputs);
  constexpr std::uintptr_t kAlignment = 256;
  const bool aligned = reinterpret_cast<std::uintptr_t>(arguments.scratch.data()) % kAlignment == 0;
  if (arguments.scratch.size() < scratch || !aligned) {
    throw ConfigError({.where = "operator " + std::string(op.op().schema().name) + " on CUDA",
                       .expected = std::to_string(scratch) + " bytes of scratch, aligned to " +
                                   std::to_string(kAlignment),
                       .got = std::to_string(arguments.scratch.size()) +
                              (aligned ? " bytes" : " bytes at another address"),
                       .action = ""});
  }
  if (size == nullptr) {
    op.run(arguments, stream);
  } else {
    op.run_sized(arguments, size, stream);
  }
}

}  // namespace plait::ops
