// voxel_reduce/points-inl.hpp: points as vectors of moved channels, and voxels' rows written.
// Included once a target, hence the guard that each target turns over.
#if defined(PLAIT_VOXEL_POINTS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PLAIT_VOXEL_POINTS_INL
#undef PLAIT_VOXEL_POINTS_INL
#else
#define PLAIT_VOXEL_POINTS_INL
#endif

#include <algorithm>

#include "ops/simd-inl.hpp"
#include "ops/voxel_reduce/work.hpp"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// The rows of a call's points, a vector of channels at a time.
template <class D, typename T>
class PointRows {
 public:
  using V = hn::Vec<D>;

  explicit PointRows(const LocatedPoints& located)
      : points_(static_cast<const T*>(located.arguments.inputs[0].data)),
        channels_(located.channels()),
        size_(located.arguments.input<T>(0).size()) {
    const auto m = located.arguments.input<float>(1);
    for (std::size_t column = 0; column < 4; ++column) {
      for (std::size_t axis = 0; axis < 3; ++axis) columns_[column][axis] = m[axis * 4 + column];
    }
  }

  std::size_t channels() const { return channels_; }
  const T* row(std::size_t point) const { return points_ + point * channels_; }

  /// Channels c and following of a point, moved where kMoved says that c < 3; lanes past its last
  /// channel hold anything.
  template <bool kMoved>
  V channels_from(std::size_t c, std::size_t point) const {
    const D d;
    const T* from = row(point);
    const std::size_t width = hn::Lanes(d);
    const bool whole = point * channels_ + c + width <= size_;
    V values = whole ? load_row(from + c) : load_last(from + c, std::min(width, channels_ - c));
    if constexpr (kMoved) {
      const auto times = [&](std::size_t column) HWY_ATTR {
        return hn::Mul(hn::LoadU(d, columns_[column] + c), hn::Set(d, to_float(from[column])));
      };
      const V two = hn::Add(times(0), times(1));
      const V moved = hn::Add(hn::Add(two, times(2)), hn::LoadU(d, columns_[3] + c));
      values = hn::IfThenElse(hn::FirstN(d, 3 - c), moved, values);
    }
    return values;
  }

  /// Writes no more than count values, for rows before and after may be other shares'.
  static void write(V v, float* out, std::size_t count) {
    const D d;
    if (count == hn::Lanes(d)) return hn::StoreU(v, d, out);
    if constexpr (hn::MaxLanes(D()) >= 4) {
      const hn::CappedTag<float, 4> d4;
      HWY_ALIGN float lanes[kMostLanes];
      hn::Store(v, d, lanes);
      std::size_t i = 0;
      for (; i + 4 <= count; i += 4) hn::StoreU(hn::Load(d4, lanes + i), d4, out + i);
      const std::size_t rest = count - i;  // single stores: of a loop, compilers make a call
      if (rest > 0) out[i] = lanes[i];
      if (rest > 1) out[i + 1] = lanes[i + 1];
      if (rest > 2) out[i + 2] = lanes[i + 2];
    }
  }
  static void write(V v, hwy::float16_t* out, std::size_t count) {
    const hn::Rebind<hwy::float16_t, D> d16;
    if (count == hn::Lanes(D())) return hn::StoreU(hn::DemoteTo(d16, v), d16, out);
    HWY_ALIGN hwy::float16_t lanes[kMostLanes];
    hn::StoreU(hn::DemoteTo(d16, v), d16, lanes);
    std::copy_n(lanes, count, out);
  }

 private:
  static V load_row(const float* p) { return hn::LoadU(D(), p); }
  static V load_row(const hwy::float16_t* p) {
    return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<hwy::float16_t, D>(), p));
  }
  static V load_last(const T* p, std::size_t count) {
    HWY_ALIGN T buffer[kMostLanes] = {};
    std::copy_n(p, count, buffer);
    return load_row(buffer);
  }

  const T* points_;
  std::size_t channels_;
  std::size_t size_;
  float columns_[4][kMostLanes + 3] = {};  // of the transform, 0 past its rows
};

/// A voxel's value so far and the next point's.
template <bool kMax, class V>
V joined(V total, V next) {
  if constexpr (kMax) {
    // Not Max, which may drop a NaN.
    const auto keep = hn::Or(hn::Ge(total, next), hn::IsNaN(total));
    return hn::IfThenElse(keep, total, next);
  } else {
    return hn::Add(total, next);
  }
}

/// Calls step.run<D, T, kMax>() with what fits a call: vectors for points of a few channels, the
/// usual ones, or of many.
template <class Step>
void with_kind(const LocatedPoints& located, const Step& step) {
  const auto with_type = [&]<typename T>(T) {
    using Narrow = hn::CappedTag<float, 8>;
    const bool narrow = located.channels() <= 8;
    const bool is_max = located.op.kind == VoxelReduce::Kind::kMax;
    // NOLINTBEGIN(bugprone-branch-clone): both tags are one where vectors have no more lanes
    if (narrow) {
      is_max ? step.template run<Narrow, T, true>() : step.template run<Narrow, T, false>();
    } else {
      is_max ? step.template run<Floats, T, true>() : step.template run<Floats, T, false>();
    }
    // NOLINTEND(bugprone-branch-clone)
  };
  if (located.arguments.inputs[0].dtype == DType::kFloat32) {
    with_type(float{});
  } else {
    with_type(hwy::float16_t{});
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
