// frames.cpp: shapes and strides of NumPy arrays, told to the core as planes.
#include "bindings/python/frames.hpp"

#include <pybind11/stl.h>

#include <array>

#include "bindings/python/arrays.hpp"
#include "plait/error.hpp"

namespace plait::python {
namespace {

/// What an array of one plane has to be: bytes (or 16-bit values) a pixel, and in words.
struct PlaneRule {
  std::int64_t channels = 1;
  DType dtype = DType::kUInt8;
  const char* shape = "";
};

PlaneRule packed_rule(PixelFormat format) {
  switch (format) {
    case PixelFormat::kRGB8:
    case PixelFormat::kBGR8:
      return {3, DType::kUInt8, "[height, width, 3]"};
    case PixelFormat::kRGBA8:
    case PixelFormat::kBGRA8:
      return {4, DType::kUInt8, "[height, width, 4]"};
    case PixelFormat::kYUYV:
    case PixelFormat::kUYVY:
      return {2, DType::kUInt8, "[height, width, 2]"};
    case PixelFormat::kGray16:
      return {1, DType::kUInt16, "[height, width]"};
    default:
      return {1, DType::kUInt8, "[height, width]"};
  }
}

class FrameViewer {
 public:
  FrameViewer(const std::string& modality, std::vector<py::object>& kept)
      : modality_(modality), kept_(kept) {}

  Frame view(const py::handle& data, PixelFormat format) {
    format_ = format;
    const bool semi_planar = format == PixelFormat::kNV12 || format == PixelFormat::kNV21;
    const bool planar = format == PixelFormat::kI420;
    const bool sequence = py::isinstance<py::tuple>(data);
    if (!semi_planar && !planar) {
      return packed(sequence ? only(data) : py::reinterpret_borrow<py::object>(data));
    }
    if (sequence) return planes(py::reinterpret_borrow<py::tuple>(data), planar);
    return stacked(data, planar);
  }

 private:
  struct Rows {
    std::int64_t height = 0;
    std::int64_t width = 0;
    Plane plane;
  };

  [[noreturn]] void fail(std::string expected, std::string got, std::string action) const {
    throw SampleError(
        {.where = "modality " + modality_ + ", frame of " + std::string(name_of(format_)),
         .expected = std::move(expected),
         .got = std::move(got),
         .action = std::move(action)});
  }

  py::object only(const py::handle& data) const {
    const auto given = py::reinterpret_borrow<py::tuple>(data);
    if (given.size() != 1) fail("one array", std::to_string(given.size()) + " planes", "");
    return given[0];
  }

  /// An array [height, width] or [height, width, channels] as rows of pixels.
  Rows rows_of(const py::handle& array, const PlaneRule& rule) {
    const ConstTensorView view = view_of(array, modality_, kept_);
    const std::size_t rank = view.shape.rank();
    const bool flat = rank == 2 && rule.channels == 1;
    if (view.dtype != rule.dtype || !(flat || (rank == 3 && view.shape[2] == rule.channels))) {
      fail(std::string(rule.shape) + " of " + std::string(name_of(rule.dtype)),
           view.shape.text() + " of " + std::string(name_of(view.dtype)),
           "Say what the array is with plait.Frame(array, format=...), or convert it.");
    }
    const std::int64_t height = view.shape[0];
    const std::int64_t width = view.shape[1];
    if (height < 1 || width < 1) fail("at least one pixel", view.shape.text(), "");
    const auto item = static_cast<std::int64_t>(size_of(rule.dtype));
    const std::int64_t pixel = item * rule.channels;
    const bool together = (rank == 2 || rule.channels == 1 || view.strides[2] == item) &&
                          (width == 1 || view.strides[1] == pixel);
    if (!together) {
      fail("pixels that lie next to one another in each row",
           "a step of " + std::to_string(view.strides[1]) + " bytes from pixel to pixel" +
               (rank == 3 ? ", " + std::to_string(view.strides[2]) + " from channel to channel"
                          : ""),
           "Pass the camera's own array with its format (bgr8 instead of a reversed rgb8), or "
           "numpy.ascontiguousarray of it.");
    }
    const std::int64_t stride = height == 1 ? width * pixel : view.strides[0];
    if (stride < width * pixel) {
      fail("rows at least " + std::to_string(width * pixel) + " bytes apart",
           std::to_string(stride), "Pass numpy.ascontiguousarray of a flipped or broadcast array.");
    }
    const auto bytes = static_cast<std::size_t>((height - 1) * stride + width * pixel);
    return {height, width, {static_cast<const std::byte*>(view.data), stride, bytes}};
  }

  Frame packed(const py::object& array) {
    const Rows rows = rows_of(array, packed_rule(format_));
    return frame(rows.width, rows.height, {rows.plane, Plane{}, Plane{}});
  }

  /// All planes in one array [height * 3 / 2, width], as OpenCV and V4L2 give them.
  Frame stacked(const py::handle& array, bool planar) {
    const Rows rows = rows_of(array, {1, DType::kUInt8, "[height * 3 / 2, width]"});
    if (rows.height % 3 != 0 || rows.width % 2 != 0) {
      fail("[height * 3 / 2, width] of an even height and width",
           "[" + std::to_string(rows.height) + ", " + std::to_string(rows.width) + "]",
           "Pass luma and chroma as two or three arrays where they lie elsewhere.");
    }
    const std::int64_t height = rows.height / 3 * 2;
    const std::int64_t stride = rows.plane.stride;
    const std::byte* chroma = rows.plane.data + height * stride;
    const Plane luma = part(rows.plane.data, stride, height, rows.width);
    if (!planar) {
      return frame(rows.width, height,
                   {luma, part(chroma, stride, height / 2, rows.width), Plane{}});
    }
    if (stride != rows.width) {
      fail("one contiguous array", "rows " + std::to_string(stride) + " bytes apart",
           "Pass the three planes as a tuple.");
    }
    const std::int64_t half = rows.width / 2;
    return frame(rows.width, height,
                 {luma, part(chroma, half, height / 2, half),
                  part(chroma + height / 2 * half, half, height / 2, half)});
  }

  Frame planes(const py::tuple& given, bool planar) {
    const std::size_t count = planar ? 3 : 2;
    if (given.size() != count) {
      fail(planar ? "three planes: Y, U, V" : "two planes: Y and the chroma",
           std::to_string(given.size()), "");
    }
    const Rows luma = rows_of(given[0], {1, DType::kUInt8, "[height, width]"});
    std::array<Plane, 3> result{luma.plane, Plane{}, Plane{}};
    for (std::size_t i = 1; i < count; ++i) {
      const Rows chroma = chroma_of(given[i], planar);
      const std::int64_t width = planar ? chroma.width * 2 : chroma.width;
      if (chroma.height * 2 != luma.height || width != luma.width) {
        fail("chroma of half the luma's height and width, both even",
             "luma [" + std::to_string(luma.height) + ", " + std::to_string(luma.width) +
                 "], chroma rows [" + std::to_string(chroma.height) + ", " +
                 std::to_string(chroma.width) + "]",
             "Pass the planes of one frame, at their own sizes.");
      }
      result[i] = chroma.plane;
    }
    return frame(luma.width, luma.height, result);
  }

  /// A chroma plane; interleaved chroma in bytes: [height / 2, width] or [height / 2, width / 2,
  /// 2].
  Rows chroma_of(const py::handle& array, bool planar) {
    const bool pairs = !planar && py::isinstance<py::array>(array) &&
                       py::reinterpret_borrow<py::array>(array).ndim() == 3;
    Rows rows = rows_of(array, {pairs ? 2 : 1, DType::kUInt8,
                                planar ? "[height / 2, width / 2]"
                                       : "[height / 2, width] or [height / 2, width / 2, 2]"});
    if (pairs) rows.width *= 2;
    return rows;
  }

  static Plane part(const std::byte* data, std::int64_t stride, std::int64_t height,
                    std::int64_t width) {
    return {data, stride, static_cast<std::size_t>((height - 1) * stride + width)};
  }

  Frame frame(std::int64_t width, std::int64_t height, const std::array<Plane, 3>& planes) const {
    return {.format = format_, .width = width, .height = height, .planes = planes, .region = {}};
  }

  const std::string& modality_;
  std::vector<py::object>& kept_;
  PixelFormat format_ = PixelFormat::kRGB8;
};

/// Whether value says more of itself than an array: a plait.Frame.
bool is_frame(const py::handle& value) {
  return !py::isinstance<py::array>(value) && py::hasattr(value, "region");
}

/// (x, y, width, height), which plait.Frame and Model have made whole numbers.
Rectangle region_of(const py::handle& region, const std::string& where) {
  const auto [x, y, width, height] = py::cast<std::array<std::int64_t, 4>>(region);
  if (width < 1 || height < 1) {
    throw SampleError({.where = where,
                       .expected = "a region of at least one pixel",
                       .got = std::to_string(width) + " x " + std::to_string(height),
                       .action = "Leave the region out for the whole frame."});
  }
  return {x, y, width, height};
}

}  // namespace

Frame view_frame(const py::handle& value, const FrameDescription& description,
                 const std::string& modality, std::vector<py::object>& kept) {
  FrameViewer viewer(modality, kept);
  if (!is_frame(value)) return viewer.view(value, description.sensor_format);
  const py::object format = value.attr("format");
  Frame frame = viewer.view(value.attr("data"),
                            format.is_none() ? description.sensor_format
                                             : pixel_format_named(py::cast<std::string>(format)));
  const py::object region = value.attr("region");
  if (!region.is_none()) frame.region = region_of(region, "modality " + modality);
  return frame;
}

RegionList::RegionList(const Manifest& manifest, const std::string& modality,
                       const py::handle& frame, const py::iterable& regions) {
  const ModalityDescription* described = manifest.modality(modality);
  if (described == nullptr || described->kind != "frame") {
    throw ConfigError({.where = "modality " + modality,
                       .expected = "a modality of kind frame",
                       .got = described == nullptr ? "none of that name" : described->kind,
                       .action = "Only frames have regions."});
  }
  frame_ = view_frame(frame, described->frame, modality, kept_);
  for (const py::handle& region : regions) {
    const std::string place = ", region " + std::to_string(regions_.size());
    regions_.push_back(region_of(region, "modality " + modality + place));
  }
}

}  // namespace plait::python
