// points.hpp: a point cloud -> encoder input: what is no point left out, mounting, range, capacity.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "preprocess/preprocessor.hpp"

namespace plait::detail {

/// input[i] is the i-th point that is kept, in the sample's order; rows behind the last hold NaN,
/// by which drivers mark what is no point and which every range filter leaves out.
///
/// A point's place is computed in float64 and rounded to float32 once. One pass over the sample,
/// and a second one where it has to be thinned out: bound by memory, so the plain loop is the
/// specification and the implementation. Throws BundleError for extrinsics that are none.
std::unique_ptr<Preprocessor> make_points_preprocessor(const ModalityDescription& modality,
                                                       const std::string& where);

/// Whether twelve numbers, [3, 4] row by row, turn and move without stretching. A mirrored axis is
/// taken: some sensors count one the other way.
bool is_mounting(std::span<const double> extrinsics) noexcept;

}  // namespace plait::detail
