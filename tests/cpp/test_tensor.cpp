// test_tensor.cpp: element types, shapes, views and the owning tensor.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "plait/error.hpp"
#include "plait/tensor.hpp"

namespace plait {
namespace {

constexpr DType kAll[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kInt8,
                          DType::kUInt8,   DType::kInt16,   DType::kUInt16,  DType::kInt32,
                          DType::kInt64,   DType::kBool};

TEST(DTypeTest, NamesRoundTrip) {
  for (DType dtype : kAll) EXPECT_EQ(dtype_named(name_of(dtype)), dtype);
}

TEST(DTypeTest, UnknownNameIsAConfigError) { EXPECT_THROW(dtype_named("float128"), ConfigError); }

TEST(DTypeTest, SizesAreThoseOfTheLanguage) {
  EXPECT_EQ(size_of(DType::kFloat32), sizeof(float));
  EXPECT_EQ(size_of(DType::kFloat64), sizeof(double));
  EXPECT_EQ(size_of(DType::kInt16), sizeof(std::int16_t));
  EXPECT_EQ(size_of(DType::kInt64), sizeof(std::int64_t));
}

TEST(ShapeTest, ElementsIsTheProduct) {
  EXPECT_EQ(Shape({}).elements(), 1);
  EXPECT_EQ(Shape({3, 5, 7}).elements(), 105);
  EXPECT_EQ(Shape({3, 0, 7}).elements(), 0);
}

TEST(ShapeTest, EqualityComparesRankAndDimensions) {
  EXPECT_EQ(Shape({2, 3}), Shape({2, 3}));
  EXPECT_FALSE(Shape({2, 3}) == Shape({3, 2}));
  EXPECT_FALSE(Shape({2}) == Shape({2, 0}));
}

TEST(ShapeTest, MoreThanEightDimensionsAreRefused) {
  EXPECT_NO_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), ConfigError);
}

TEST(ShapeTest, TextIsForPeople) { EXPECT_EQ(Shape({100, 3}).text(), "[100, 3]"); }

TEST(ViewTest, ContiguousViewHasRowMajorStrides) {
  const ConstTensorView view(nullptr, DType::kFloat64, Shape({4, 3, 2}));
  EXPECT_EQ(view.strides[0], 48);
  EXPECT_EQ(view.strides[1], 16);
  EXPECT_EQ(view.strides[2], 8);
  EXPECT_TRUE(view.contiguous());
  EXPECT_EQ(view.bytes(), 192U);
}

TEST(ViewTest, TransposedViewIsNotContiguous) {
  ConstTensorView view(nullptr, DType::kFloat32, Shape({4, 3}));
  std::swap(view.strides[0], view.strides[1]);
  EXPECT_FALSE(view.contiguous());
}

TEST(TensorTest, MemoryIsAlignedAndZero) {
  for (std::int64_t count : {0, 1, 3, 17, 1000}) {
    Tensor tensor(DType::kFloat32, Shape({count}));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.view().data) % 64, 0U);
    for (float value : tensor.view().as_span<float>()) EXPECT_EQ(value, 0.0F);
  }
}

TEST(ErrorTest, MessageHoldsTheFourParts) {
  const SampleError error({.where = "here", .expected = "this", .got = "that", .action = "Do so."});
  EXPECT_STREQ(error.what(), "here: expected this, got that. Do so.");
  EXPECT_EQ(error.parts().got, "that");
}

}  // namespace
}  // namespace plait
