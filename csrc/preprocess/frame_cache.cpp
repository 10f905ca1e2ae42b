// frame_cache.cpp: finds a resizer, or makes the one that a description and a format ask for.
#include "preprocess/frame_cache.hpp"

#include <algorithm>

namespace plait::detail {
namespace {

std::unique_ptr<FrameResizer> make_resizer(const ResizerRule& rule) {
  if (rule.description->filter == FrameFilter::kNearest) return make_nearest_resizer(rule);
  if (rule.format == PixelFormat::kGray16) return make_depth_resizer(rule);
  if (rule.description->arithmetic == FrameArithmetic::kExact) return make_exact_resizer(rule);
  return make_fast_resizer(rule);
}

}  // namespace

const ResizerCache::Entry& ResizerCache::get(const FrameDescription& description,
                                             const FrameKernels& kernels, const FrameView& view,
                                             std::size_t bands) {
  ++calls_;
  for (Entry& entry : entries_) {
    if (entry.format != view.format || entry.height != view.height || entry.width != view.width ||
        entry.bands != bands) {
      continue;
    }
    entry.used = calls_;
    return entry;
  }
  const ResizerRule rule{.description = &description,
                         .kernels = &kernels,
                         .format = view.format,
                         .height = view.height,
                         .width = view.width,
                         .geometry = frame_geometry(description, view.height, view.width),
                         .bands = bands};
  Entry made{.format = view.format,
             .height = view.height,
             .width = view.width,
             .bands = bands,
             .geometry = rule.geometry,
             .resizer = make_resizer(rule),
             .used = calls_};
  if (entries_.size() < kMost) return entries_.emplace_back(std::move(made));
  const auto oldest =
      std::min_element(entries_.begin(), entries_.end(),
                       [](const Entry& a, const Entry& b) { return a.used < b.used; });
  return *oldest = std::move(made);
}

}  // namespace plait::detail
