// Tensors: shapes, types, views, and what they refuse.
#include "cograd/engine/tensor.h"

#include "cograd/engine/backend.h"
#include "tests/support/catch.h"

namespace cograd::testing {
namespace {

Tensor counting(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::from(values, shape, reference_backend());
}

}  // namespace

TEST_CASE("shapes", "[tensor]") {
  const Shape s{2, 3, 4};
  CHECK(s.rank() == 3);
  CHECK(s.numel() == 24);
  CHECK(s[-1] == 4);
  CHECK(s.str() == "[2, 3, 4]");
  CHECK(s.prepended(5) == Shape{5, 2, 3, 4});
  CHECK(s.inner() == Shape{3, 4});
  CHECK(s.with_outer(7) == Shape{7, 3, 4});
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{0, 3}.numel() == 0);
  CHECK(Shape{2} != Shape{2, 0});
  CHECK_THROWS_AS(s[3], ShapeError);
  CHECK_THROWS_AS((Shape{1, -1}), ShapeError);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1}), ShapeError);
  CHECK_THROWS_AS(Shape{}.inner(), ShapeError);
}

TEST_CASE("views share storage", "[tensor]") {
  Tensor t = counting({3, 4});
  Tensor middle = t.rows(1, 2);
  CHECK(middle.to_vector<float>() == std::vector<float>{4, 5, 6, 7});
  middle.data<float>()[0] = -1;
  CHECK(t.to_vector<float>()[4] == -1);
  CHECK(t[2].shape() == Shape{4});
  CHECK(t[2].to_vector<float>()[0] == 8);
  CHECK(t.reshape({2, 6}).rows(1, 2).to_vector<float>()[0] == 6);
  CHECK(t.rows(3, 3).numel() == 0);
  CHECK(!t.unique());
  const Tensor copy = t.clone();
  t.data<float>()[0] = 99;
  CHECK(copy.to_vector<float>()[0] == 0);
  CHECK(copy.unique());
  CHECK_THROWS_AS(t.rows(2, 4), ShapeError);
  CHECK_THROWS_AS(t.reshape({5}), ShapeError);
}

TEST_CASE("types are checked and converted", "[tensor]") {
  const Tensor t = counting({3});
  CHECK_THROWS_WITH(t.data<double>(), contains("f64") && contains("f32"));
  CHECK(t.to(Dtype::f64).to_vector<double>() == std::vector<double>{0, 1, 2});
  CHECK(t.to(Dtype::i64).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 2});
  CHECK(t.rows(2, 3).item() == 2.0);
  CHECK_THROWS_AS(t.item(), ShapeError);
  CHECK_THROWS_AS(Tensor::from(std::vector<float>{1, 2}, {3}, reference_backend()), ShapeError);
  Tensor target = Tensor::zeros({3}, Dtype::f32, reference_backend());
  target.copy_from(t);
  CHECK(target.to_vector<float>() == t.to_vector<float>());
  CHECK_THROWS_AS(target.copy_from(t.to(Dtype::f64)), DtypeError);
  CHECK_THROWS_AS(target.copy_from(t.rows(0, 2)), ShapeError);
}

TEST_CASE("only image tensors have image layouts, blocked ones padded", "[tensor]") {
  CHECK(storage_numel({2, 5, 3, 3}, Layout::blocked16) == 2 * 16 * 9);
  CHECK(storage_numel({2, 17, 3, 3}, Layout::blocked8) == 2 * 24 * 9);
  CHECK(storage_numel({2, 5, 3, 3}, Layout::channels_last) == 90);
  CHECK_THROWS_AS(Tensor::empty({2, 3}, Dtype::f32, reference_backend(), Layout::channels_last),
                  ShapeError);
}

TEST_CASE("devices are chosen by name", "[tensor]") {
  CHECK(backend_for("cpu").device().type == DeviceType::cpu);
  CHECK_THROWS_WITH(backend_for("gpu"), contains("'gpu'") && contains("auto, cpu or cuda"));
}

TEST_CASE("bf16 rounds to nearest, halves to even", "[tensor]") {
  // One step of bf16 is 2^-7 at 1: 1 + 2^-8 lies between two numbers and goes to the even 1,
  // 1 + 3 2^-8 to 1 + 2^-6.
  const std::vector<std::pair<float, float>> cases{
      {0.0f, 0.0f},          {-0.0f, -0.0f},           {1.0f, 1.0f},
      {1.00390625f, 1.0f},   {1.01171875f, 1.015625f}, {1.00390637f, 1.0078125f},
      {3.14159f, 3.140625f}, {-2.71828f, -2.71875f},   {3.4e38f, INFINITY},
      {-INFINITY, -INFINITY}};
  std::vector<float> values;
  for (const auto& [value, rounded] : cases) {
    values.insert(values.end(), 17, value);  // in whole vectors, and in the rest
  }
  for (Backend* backend : {&reference_backend(), &cpu_backend()}) {
    const Tensor x = Tensor::from(values, {std::ssize(values)}, *backend);
    const std::vector<float> got = x.to(Dtype::bf16).to(Dtype::f32).to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      CAPTURE(backend->name(), i, values[i]);
      CHECK(got[i] == cases[i / 17].second);
      CHECK(std::signbit(got[i]) == std::signbit(values[i]));
    }
    const Tensor nan = Tensor::full({20}, NAN, Dtype::f32, *backend);
    for (float v : nan.to(Dtype::bf16).to(Dtype::f32).to_vector<float>()) CHECK(std::isnan(v));
  }
}

}  // namespace cograd::testing
