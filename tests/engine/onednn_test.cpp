// What wraps oneDNN, and convolutions of bf16.
#include <cstdio>

#include "cograd/engine/cpu/onednn/primitive.h"
#include "cograd/engine/cpu/onednn/primitive_cache.h"
#include "tests/support/cpu_layouts.h"

namespace cograd::testing {

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
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv2d_input_gradient, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv2d_weight_gradient, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv2d, {2, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {6, 2, 1, 1}, {}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.stride = {2, 1}}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.stride = {1, 2}}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.padding = {1, 0}}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.padding = {0, 1}}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.dilation = {2, 1}}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.dilation = {1, 2}}),
      conv(Pass::conv2d, {1, 2, 3, 4}, {5, 2, 1, 1}, {.channel_groups = 2}),
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

TEST_CASE("ops on bf16 activations equal those on f32, rounded", "[onednn]") {
  const ConvolutionArithmetic before = convolution_arithmetic();
  for (bool native : {false, true}) {
    if (native && dnnl::get_effective_cpu_isa() < dnnl::cpu_isa::avx512_core) {
      std::printf("SKIPPED: products in bf16: this processor has no AVX-512\n");
      continue;
    }
    CAPTURE(native);
    set_convolution_arithmetic({.winograd = before.winograd, .bf16 = native});
    check_bf16(cpu_backend());
  }
  set_convolution_arithmetic(before);
}

}  // namespace cograd::testing
