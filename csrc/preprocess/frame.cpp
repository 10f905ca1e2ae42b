// frame.cpp: checks a frame, finds the resizer of its size, fills the border, runs it.
#include "preprocess/frame.hpp"

#include <algorithm>

#include "plait/error.hpp"
#include "preprocess/frame_format.hpp"
#include "preprocess/frame_geometry.hpp"
#include "preprocess/frame_resizer.hpp"

namespace plait::detail {
namespace {

/// The resizer of the last frame's size.
struct FrameScratch final : PrepareScratch {
  PixelFormat format = PixelFormat::kRGB8;
  std::int64_t height = 0;
  std::int64_t width = 0;
  FrameGeometry geometry;
  std::unique_ptr<FrameResizer> resizer;
};

class FramePreprocessor final : public Preprocessor {
 public:
  FramePreprocessor(const ModalityDescription& modality, std::string where,
                    const FrameKernels& kernels)
      : description_(modality.frame), where_(std::move(where)), kernels_(kernels) {
    check_description();
  }

  Shape input_shape() const override {
    const bool cropped = description_.crop_height > 0;
    const std::int64_t height = cropped ? description_.crop_height : description_.height;
    const std::int64_t width = cropped ? description_.crop_width : description_.width;
    return description_.layout == FrameLayout::kNCHW ? Shape{1, channels(), height, width}
                                                     : Shape{1, height, width, channels()};
  }

  std::unique_ptr<PrepareScratch> make_scratch() const override {
    return std::make_unique<FrameScratch>();
  }

  void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const override {
    const auto& frame = sample_as<Frame>(sample, where_, "Pass the camera's frame.");
    check_channels(frame.format);
    const FrameView view = checked_view(frame, where_);
    auto& kept = static_cast<FrameScratch&>(scratch);
    if (kept.resizer == nullptr || kept.format != view.format || kept.height != view.height ||
        kept.width != view.width) {
      rebuild(view, kept);
    }
    auto* target = static_cast<float*>(out.data);
    const FrameGeometry& geometry = kept.geometry;
    if (geometry.rows != geometry.output_height || geometry.columns != geometry.output_width) {
      fill_border(geometry, target);
    }
    kept.resizer->run(view, target);
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
    }
    if (got.empty()) return;
    throw BundleError({.where = where_,
                       .expected = "a frame description this library computes",
                       .got = got,
                       .action = "Describe the frame otherwise and export again."});
  }

  void check_channels(PixelFormat format) const {
    const bool depth = description_.channels == FrameChannels::kDepth;
    if ((format == PixelFormat::kGray16) == depth) return;
    throw SampleError({.where = where_,
                       .expected = depth ? "a frame of depth, gray16" : "a frame of 8-bit pixels",
                       .got = std::string(name_of(format)),
                       .action = "Pass the stream that the bundle declares."});
  }

  void rebuild(const FrameView& view, FrameScratch& kept) const {
    kept.resizer.reset();
    kept.format = view.format;
    kept.height = view.height;
    kept.width = view.width;
    kept.geometry = frame_geometry(description_, view.height, view.width);
    const ResizerRule rule{&description_, &kernels_,  view.format,
                           view.height,   view.width, kept.geometry};
    if (description_.filter == FrameFilter::kNearest) {
      kept.resizer = make_nearest_resizer(rule);
    } else if (view.format == PixelFormat::kGray16) {
      kept.resizer = make_depth_resizer(rule);
    } else if (description_.arithmetic == FrameArithmetic::kExact) {
      kept.resizer = make_exact_resizer(rule);
    } else {
      kept.resizer = make_fast_resizer(rule);
    }
  }

  /// Fills everything: the window is written over it, and a border is small beside a frame.
  void fill_border(const FrameGeometry& geometry, float* out) const {
    const std::int64_t pixels = geometry.output_height * geometry.output_width;
    for (std::int64_t channel = 0; channel < channels(); ++channel) {
      const auto c = static_cast<std::size_t>(channel);
      const float level =
          (description_.pad * description_.scale - description_.mean[c]) / description_.std[c];
      if (description_.layout == FrameLayout::kNCHW) {
        std::fill_n(out + channel * pixels, pixels, level);
      } else {
        for (std::int64_t i = 0; i < pixels; ++i) out[i * channels() + channel] = level;
      }
    }
  }

  FrameDescription description_;
  std::string where_;
  const FrameKernels& kernels_;
};

}  // namespace

std::unique_ptr<Preprocessor> make_frame_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where) {
  return make_frame_preprocessor(modality, where, best_frame_kernels());
}

std::unique_ptr<Preprocessor> make_frame_preprocessor(const ModalityDescription& modality,
                                                      const std::string& where,
                                                      const FrameKernels& kernels) {
  return std::make_unique<FramePreprocessor>(modality, where, kernels);
}

}  // namespace plait::detail
