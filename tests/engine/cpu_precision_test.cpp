// Batch norm of the cpu backend in bf16 and in every layout.
#include "cograd/engine/cpu/activations.h"
#include "tests/support/cpu_layouts.h"

namespace cograd::testing {

TEST_CASE("batch norm is the same in every layout and type", "[cpu]") {
  Backend& backend = cpu_backend();
  const Groups groups(6, 3);
  for (std::int64_t channels : {7, 16, 40, 48}) {
    for (Epilogue kind : {Epilogue::none, Epilogue::relu, Epilogue::add_relu}) {
      Random random(67);
      const Shape shape{6, channels, 5, 4};
      // Values that bf16 holds exactly, so that both types start from the same.
      const auto image = [&] { return fast(random_f32(shape, random)).to(Dtype::bf16); };
      const Tensor x = image(), dy = image(), residual = image();
      const Tensor gamma = fast(random_f32({channels}, random)),
                   beta = fast(random_f32({channels}, random));
      struct Outcome {
        Tensor y, dx, dresidual, dgamma, dbeta;
      };
      const auto run = [&](Dtype dtype, Layout layout) {
        const auto in = [&](const Tensor& t) { return cpu::reordered(t.to(dtype), layout); };
        RunningStatistics none;
        const BatchNormResult r = backend.batch_norm(
            {in(x), gamma, beta, kind, kind == Epilogue::add_relu ? in(residual) : Tensor()},
            groups, 1e-5, none);
        Outcome o{r.y,
                  {},
                  {},
                  Tensor::empty({3, channels}, Dtype::f32, backend),
                  Tensor::empty({3, channels}, Dtype::f32, backend)};
        const BatchNormGradient g = backend.batch_norm_backward({.x = in(x),
                                                                 .y = r.y,
                                                                 .dy = in(dy),
                                                                 .gamma = gamma,
                                                                 .beta = beta,
                                                                 .statistics = r.statistics,
                                                                 .epilogue = kind,
                                                                 .groups = groups},
                                                                {o.dgamma}, {o.dbeta});
        o.dx = g.dx, o.dresidual = g.dresidual;
        return o;
      };
      const auto same = [&](const Tensor& a, const Tensor& b, double tolerance) {
        REQUIRE(a.defined() == b.defined());
        if (a.defined()) {
          CHECK(relative_error(a.row_major().to(Dtype::f32), b.row_major().to(Dtype::f32)) <=
                tolerance);
        }
      };
      const Outcome expected = run(Dtype::f32, Layout::row_major);
      for (Dtype dtype : {Dtype::f32, Dtype::bf16}) {
        for (Layout layout : kLayouts) {
          CAPTURE(channels, static_cast<int>(kind), name_of(dtype), static_cast<int>(layout));
          const Outcome got = run(dtype, layout);
          CHECK(got.y.dtype() == dtype);
          // Results in bf16 are the f32 ones rounded: by at most 2^-9 of each.
          const double rounding = dtype == Dtype::bf16 ? 0x1p-9 : 1e-6;
          same(got.y, expected.y, rounding);
          same(got.dx, expected.dx, rounding);
          same(got.dresidual, expected.dresidual, 0.0);
          same(got.dgamma, expected.dgamma, 1e-6);
          same(got.dbeta, expected.dbeta, 1e-6);
        }
      }
    }
  }
}

}  // namespace cograd::testing
