// frame.cpp: checks a frame or its regions, finds the resizers of their sizes, fills the border,
// and shares the rows out.
#include "preprocess/frame.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/half.hpp"
#include "plait/error.hpp"
#include "preprocess/frame_cache.hpp"
#include "preprocess/frame_colour.hpp"
#include "preprocess/frame_cuda.hpp"

namespace plait::detail {
namespace {

/// Input and output bytes that are worth a thread of their own: waking one takes tens of
/// microseconds, in which this many are prepared.
constexpr std::int64_t kBandBytes = std::int64_t{1} << 19;

/// What one thread at a time prepares with: a lane a thread of the pool.
struct FrameScratch final : PrepareScratch {
  std::vector<ResizerCache> lanes;
  std::vector<FrameView> views;  // of the regions of one call
};

class FramePreprocessor final : public Preprocessor,
                                public RegionPreprocessor,
                                public CudaFramePreprocessor {
 public:
  FramePreprocessor(const ModalityDescription& modality, std::string where, ThreadPool* pool,
                    const FrameKernels& kernels)
      : description_(modality.frame), where_(std::move(where)), pool_(pool), kernels_(kernels) {
    check_description();
  }

  Shape input_shape() const override {
    const bool cropped = description_.crop_height > 0;
    const std::int64_t height = cropped ? description_.crop_height : description_.height;
    const std::int64_t width = cropped ? description_.crop_width : description_.width;
    return description_.layout == FrameLayout::kNCHW ? Shape{1, channels(), height, width}
                                                     : Shape{1, height, width, channels()};
  }

  DType input_dtype() const noexcept override { return description_.dtype; }

  std::unique_ptr<PrepareScratch> make_scratch() const override {
    auto scratch = std::make_unique<FrameScratch>();
    scratch->lanes.resize(threads());
    return scratch;
  }

  void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const override {
    const FrameView view = this->view(sample);
    auto& lane = static_cast<FrameScratch&>(scratch).lanes.front();
    write(view, lane, bands_of(view), static_cast<std::byte*>(out.data));
  }

  const RegionPreprocessor* regions() const noexcept override { return this; }
  const CudaFramePreprocessor* cuda() const noexcept override {
    return prepared_on_cuda(description_) ? this : nullptr;
  }

  FrameView view(const Sample& sample) const override {
    const auto& frame = sample_as<Frame>(sample, where_, "Pass the camera's frame.");
    check_channels(frame.format);
    return checked_view(frame, where_);
  }

  FrameCudaPlan plan(const FrameView& view) const override {
    return {description_, view.format, view.height, view.width, where_};
  }

  void prepare_regions(const Frame& frame, std::span<const Rectangle> regions,
                       PrepareScratch& scratch, TensorView out) const override {
    check_channels(frame.format);
    auto& kept = static_cast<FrameScratch&>(scratch);
    std::vector<FrameView>& views = kept.views;
    std::vector<ResizerCache>& lanes = kept.lanes;
    views.clear();
    for (const Rectangle& region : regions) {
      Frame part = frame;
      part.region = region;
      try {
        views.push_back(checked_view(part, where_));
      } catch (const SampleError& error) {
        ErrorParts parts = error.parts();
        parts.where += ", region " + std::to_string(views.size());
        throw SampleError(parts);
      }
    }
    auto* target = static_cast<std::byte*>(out.data);
    const std::size_t bytes =
        static_cast<std::size_t>(input_shape().elements()) * size_of(description_.dtype);
    if (views.size() == 1) return write(views[0], lanes.front(), bands_of(views[0]), target);
    // A lane's regions are the same in every call, and so are the sizes that its cache holds.
    const std::size_t shared = std::min(lanes.size(), views.size());
    const auto run = [&](std::size_t lane) {
      for (std::size_t i = lane; i < views.size(); i += shared) {
        write(views[i], lanes[lane], 1, target + i * bytes);
      }
    };
    share_out(shared, run);
  }

 private:
  std::int64_t channels() const noexcept {
    return static_cast<std::int64_t>(description_.mean.size());
  }

  void check_description() const {
    const bool single = description_.channels == FrameChannels::kGray ||
                        description_.channels == FrameChannels::kDepth;
    const std::size_t wanted = single ? 1 : 3;
    const bool cropped = description_.crop_height > 0 || description_.crop_width > 0;
    const bool nearest = description_.filter == FrameFilter::kNearest;
    const bool exact = description_.arithmetic == FrameArithmetic::kExact;
    std::string got;
    if (description_.mean.size() != wanted || description_.std.size() != wanted) {
      got = std::to_string(description_.mean.size()) + " means and " +
            std::to_string(description_.std.size()) + " deviations for " + std::to_string(wanted) +
            " channels";
    } else if (description_.height < 1 || description_.width < 1 ||
               description_.height > kMaxFrameSide || description_.width > kMaxFrameSide) {
      got = "a size of " + std::to_string(description_.height) + " x " +
            std::to_string(description_.width);
    } else if (cropped && (description_.crop_height < 1 || description_.crop_width < 1 ||
                           description_.crop_height > description_.height ||
                           description_.crop_width > description_.width)) {
      got = "a crop larger than the resized frame";
    } else if (description_.fit == FrameFit::kShortest &&
               (description_.height != description_.width || !cropped)) {
      got = "a shortest side of two lengths, or without a crop";
    } else if (description_.fit == FrameFit::kLetterbox && cropped) {
      got = "a letterbox with a crop";
    } else if (exact && !nearest && !description_.antialias) {
      got = "exact arithmetic without antialiasing, which Pillow does not have";
    } else if (exact && !nearest && description_.channels == FrameChannels::kDepth) {
      got = "exact arithmetic on 16-bit depth";
    } else if (!holds_values()) {
      got = "values that " + std::string(name_of(description_.dtype)) + " does not hold";
    }
    if (got.empty()) return;
    throw BundleError({.where = where_,
                       .expected = "a frame description this library computes",
                       .got = got,
                       .action = "Describe the frame otherwise and export again."});
  }

  /// Whether the input's element type holds every value that levels can become.
  bool holds_values() const noexcept {
    const bool depth = description_.channels == FrameChannels::kDepth;
    const float most = depth ? 65535.0F : 255.0F;
    bool whole = !depth && description_.scale == 1.0F && description_.pad <= most;
    float largest = 0.0F;
    for (std::size_t c = 0; c < description_.mean.size(); ++c) {
      const float mean = description_.mean[c];
      const float std = description_.std[c];
      whole = whole && mean == 0.0F && std == 1.0F;
      const float brightest = std::max(most, description_.pad) * description_.scale;
      largest = std::max({largest, std::abs(mean / std), std::abs((brightest - mean) / std)});
    }
    switch (description_.dtype) {
      case DType::kFloat32:
        return true;
      case DType::kFloat16:
        return half_of(largest) < kHalfInfinity;
      case DType::kUInt8:
        return whole;
      default:
        return false;
    }
  }

  void check_channels(PixelFormat format) const {
    const bool depth = description_.channels == FrameChannels::kDepth;
    if ((format == PixelFormat::kGray16) == depth) return;
    throw SampleError({.where = where_,
                       .expected = depth ? "a frame of depth, gray16" : "a frame of 8-bit pixels",
                       .got = std::string(name_of(format)),
                       .action = "Pass the stream that the bundle declares."});
  }

  std::size_t threads() const noexcept {
    return pool_ == nullptr ? 1 : static_cast<std::size_t>(pool_->threads());
  }

  void share_out(std::size_t count, FunctionRef<void(std::size_t)> body) const {
    if (pool_ != nullptr) return pool_->parallel_for(count, body);
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  /// Into how many parts a frame's rows are worth dividing.
  std::size_t bands_of(const FrameView& view) const noexcept {
    const Shape output = input_shape();
    std::int64_t bytes = output.elements() * static_cast<std::int64_t>(sizeof(float));
    const bool nearest = description_.filter == FrameFilter::kNearest;
    const FormatFacts& facts = facts_of(view.format);
    for (int g = 0; g < facts.groups && !nearest; ++g) {
      const ComponentGroup& group = facts.group[static_cast<std::size_t>(g)];
      bytes += (view.height >> group.halved_rows) * (view.width >> group.halved_columns) *
               group.components * facts.bytes;
    }
    return std::clamp<std::size_t>(static_cast<std::size_t>(bytes / kBandBytes), 1, threads());
  }

  void write(const FrameView& view, ResizerCache& lane, std::size_t bands, std::byte* out) const {
    const ResizerCache::Entry& entry = lane.get(description_, kernels_, view, bands);
    const FrameGeometry& geometry = entry.geometry;
    if (geometry.rows != geometry.output_height || geometry.columns != geometry.output_width) {
      fill_border(geometry, out);
    }
    // Whole blocks of rows to each, so that no band computes part of one.
    const auto blocks = static_cast<std::size_t>((geometry.rows + kLanes - 1) / kLanes);
    const auto row = [&](std::size_t band) {
      const auto block = static_cast<std::int64_t>(blocks * band / bands);
      return std::min(block * kLanes, geometry.rows);
    };
    const auto run = [&](std::size_t band) {
      const Band rows{.index = band, .begin = row(band), .end = row(band + 1)};
      if (rows.begin < rows.end) entry.resizer->run(view, rows, out);
    };
    if (bands == 1) return run(0);
    share_out(bands, run);
  }

  /// Fills everything: the window is written over it, and a border is small beside a frame.
  void fill_border(const FrameGeometry& geometry, std::byte* out) const {
    for (std::int64_t channel = 0; channel < channels(); ++channel) {
      const float level = border_value(description_, static_cast<std::size_t>(channel));
      if (description_.dtype == DType::kFloat16) {
        fill(geometry, channel, half_of(level), reinterpret_cast<std::uint16_t*>(out));
      } else if (description_.dtype == DType::kUInt8) {
        fill(geometry, channel, static_cast<std::uint8_t>(std::nearbyint(level)),
             reinterpret_cast<std::uint8_t*>(out));
      } else {
        fill(geometry, channel, level, reinterpret_cast<float*>(out));
      }
    }
  }

  template <typename Element>
  void fill(const FrameGeometry& geometry, std::int64_t channel, Element level,
            Element* out) const {
    const std::int64_t pixels = geometry.output_height * geometry.output_width;
    if (description_.layout == FrameLayout::kNCHW) {
      std::fill_n(out + channel * pixels, pixels, level);
    } else {
      for (std::int64_t i = 0; i < pixels; ++i) out[i * channels() + channel] = level;
    }
  }

  FrameDescription description_;
  std::string where_;
  ThreadPool* pool_;
  const FrameKernels& kernels_;
};

}  // namespace

std::unique_ptr<Preprocessor> make_frame_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where, ThreadPool* pool,
                                                      const FrameKernels& kernels) {
  return std::make_unique<FramePreprocessor>(modality, where, pool, kernels);
}

}  // namespace plait::detail
