// The onednn backend against the reference, on random inputs of odd sizes.
#include "engine/onednn/primitive.h"
#include "engine/onednn/primitive_cache.h"
#include "tests/support/accumulation_cases.h"
#include "tests/support/onednn_layouts.h"

namespace cograd::testing {

TEST_CASE("layouts convert into each other", "[onednn]") {
  Random random(61);
  for (std::int64_t channels : {1, 3, 8, 16, 17}) {
    const Tensor x = fast(random_f32({3, channels, 5, 4}, random));
    for (Layout a : kLayouts) {
      const Tensor in_a = onednn::reordered(x, a);
      for (Layout b : kLayouts) {
        CAPTURE(channels, static_cast<int>(a), static_cast<int>(b));
        CHECK(onednn::reordered(in_a, b).to_vector<float>() == x.to_vector<float>());
        // A slice of rows is a tensor of its own in any layout.
        CHECK(onednn::reordered(in_a.rows(1, 3), b).to_vector<float>() ==
              x.rows(1, 3).clone().to_vector<float>());
      }
    }
  }
}

TEST_CASE("onednn linear equals the reference", "[onednn]") { check_linear(onednn_backend()); }

TEST_CASE("onednn convolution equals the reference", "[onednn]") {
  check_convolution(onednn_backend());
}

TEST_CASE("onednn batch norm equals the reference", "[onednn]") {
  check_batch_norm(onednn_backend());
}

TEST_CASE("onednn keeps running statistics like the reference", "[onednn]") {
  check_running_statistics(onednn_backend());
}

TEST_CASE("onednn pooling equals the reference in every layout", "[onednn]") {
  Arrangements arrangements;
  for (Layout layout : kLayouts) {
    arrangements.push_back([layout](const Tensor& t) { return onednn::reordered(t, layout); });
  }
  check_pooling(onednn_backend(), arrangements);
}

TEST_CASE("onednn element-wise ops and the loss equal the reference", "[onednn]") {
  check_elementwise(onednn_backend());
}

TEST_CASE("a chain of ops in oneDNN's layouts equals the reference", "[onednn]") {
  check_chain(onednn_backend());
}

TEST_CASE("gradients accumulate over windows, also over ones without rows", "[onednn]") {
  check_windows(onednn_backend());
}

TEST_CASE("onednn gradients accumulate over micro-batches and shared parameters", "[onednn]") {
  check_accumulation(onednn_backend());
}

TEST_CASE("onednn ops of random shapes equal the reference", "[onednn]") {
  check_random_shapes(onednn_backend());
}

TEST_CASE("every field of a primitive's key tells keys apart", "[onednn]") {
  using onednn::PrimitiveKey;
  using Pass = PrimitiveKey::Pass;
  const auto conv = [](Pass pass, Shape x, Shape w, ConvGeometry g) {
    return PrimitiveKey(pass).add(x).add(w).add(g);
  };
  const auto pool = [](PoolGeometry g, Layout layout, double eps) {
    return PrimitiveKey(Pass::pool).add(g).add(layout).add(eps);
  };
  std::vector<PrimitiveKey> keys{
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_data, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_weight, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_forward, {2, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {6, 2, 1, 1}, {}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.stride = {2, 1}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.stride = {1, 2}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.padding = {1, 0}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.padding = {0, 1}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.dilation = {2, 1}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.dilation = {1, 2}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.channel_groups = 2}),
      pool({}, Layout::row_major, 1e-5),
      pool({.kernel = {3, 2}}, Layout::row_major, 1e-5),
      pool({.stride = {2, 3}}, Layout::row_major, 1e-5),
      pool({.padding = {1, 0}}, Layout::row_major, 1e-5),
      pool({.ceil_mode = true}, Layout::row_major, 1e-5),
      pool({.count_include_pad = false}, Layout::row_major, 1e-5),
      pool({}, Layout::blocked16, 1e-5),
      pool({}, Layout::row_major, 1e-3),
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < keys.size(); ++j) {
      CAPTURE(i, j);
      CHECK((keys[i] == keys[j]) == (i == j));
    }
  }
}

TEST_CASE("the primitive cache keeps what was used last", "[onednn]") {
  using onednn::PrimitiveKey;
  onednn::PrimitiveCache<int> cache(2);
  int made = 0;
  const auto get = [&](std::int64_t id) {
    return *cache.get(PrimitiveKey(PrimitiveKey::Pass::pool).add(id), [&] {
      ++made;
      return static_cast<int>(id);
    });
  };
  CHECK(get(1) == 1);
  CHECK(get(2) == 2);
  CHECK(get(1) == 1);
  CHECK(made == 2);
  CHECK(get(3) == 3);  // drops 2, the least recently used
  CHECK(get(1) == 1);
  CHECK(made == 3);
  CHECK(get(2) == 2);
  CHECK(made == 4);
  CHECK(cache.size() == 2);
}

}  // namespace cograd::testing
