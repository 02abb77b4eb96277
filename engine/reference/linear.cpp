// y [N, O] = x [N, I] w^T + b, with w [O, I]
#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {

using reference::ConstMatrixMap;
using reference::ConstVectorMap;
using reference::dispatch;
using reference::MatrixMap;
using reference::VectorMap;

Tensor ReferenceBackend::linear(const Tensor& x, const Tensor& w, const Tensor& b,
                                Epilogue epilogue) {
  const std::int64_t n = x.size(0), in = x.size(1), out = w.size(0);
  Tensor y = Tensor::empty({n, out}, x.dtype(), *this);
  dispatch("linear", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const ConstMatrixMap<T> X(x.data<T>(), n, in), W(w.data<T>(), out, in);
    MatrixMap<T> Y(y.data<T>(), n, out);
    Y.noalias() = X * W.transpose();
    if (b.defined()) Y.rowwise() += ConstVectorMap<T>(b.data<T>(), out).transpose();
  });
  return epilogue == Epilogue::none ? y : relu(y, true);
}

Tensor ReferenceBackend::linear_input_gradient(const Tensor& dy, const Tensor& w) {
  const std::int64_t n = dy.size(0), out = w.size(0), in = w.size(1);
  Tensor dx = Tensor::empty({n, in}, dy.dtype(), *this);
  dispatch("linear", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    MatrixMap<T>(dx.data<T>(), n, in).noalias() =
        ConstMatrixMap<T>(dy.data<T>(), n, out) * ConstMatrixMap<T>(w.data<T>(), out, in);
  });
  return dx;
}

void ReferenceBackend::linear_weight_gradient(const Tensor& x, const Tensor& dy,
                                              const Groups& groups, GroupGradients dw) {
  const std::int64_t in = x.size(1), out = dy.size(1);
  dispatch("linear", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      MatrixMap<T> DW(dw.values.data<T>() + g * out * in, out, in);
      if (dw.write == Write::overwrite) DW.setZero();
      if (r.size() == 0) continue;
      const ConstMatrixMap<T> X(x.data<T>() + r.begin * in, r.size(), in);
      const ConstMatrixMap<T> DY(dy.data<T>() + r.begin * out, r.size(), out);
      DW.noalias() += DY.transpose() * X;
    }
  });
}

bool ReferenceBackend::linear_reduced_gradient(const Tensor& x, const Tensor& dy,
                                               const Groups& groups, const Reduction& reduction,
                                               Tensor& dw, GroupNorms* norms) {
  const std::int64_t in = x.size(1), out = dy.size(1);
  if (norms != nullptr) *norms = {};
  Tensor gradients = Tensor::empty({groups.count(), in}, x.dtype(), *this);  // of one output
  dispatch("linear", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    MatrixMap<T> G(gradients.data<T>(), groups.count(), in);
    const ConstMatrixMap<T> X(x.data<T>(), x.size(0), in), DY(dy.data<T>(), x.size(0), out);
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t g = 0; g < groups.count(); ++g) {
        const RowRange r = groups.range(g);
        G.row(g).noalias() =
            DY.col(o).segment(r.begin, r.size()).transpose() * X.middleRows(r.begin, r.size());
      }
      GroupNorms of_output;
      Tensor to = dw[o];
      ReferenceBackend::reduce(reduction, gradients, to, &of_output);
      if (norms == nullptr) continue;
      norms->squared_mean += of_output.squared_mean;
      norms->mean_squared += of_output.mean_squared;
    }
  });
  return true;
}

void ReferenceBackend::bias_gradient(const Tensor& dy, const Groups& groups, GroupGradients db) {
  const std::int64_t channels = dy.size(1);
  const std::int64_t pixels = dy.shape().rank() == 4 ? dy.size(2) * dy.size(3) : 1;
  dispatch("bias", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      VectorMap<T> DB(db.values.data<T>() + g * channels, channels);
      if (db.write == Write::overwrite) DB.setZero();
      for (std::int64_t n = r.begin; n < r.end; ++n) {
        const ConstMatrixMap<T> image(dy.data<T>() + n * channels * pixels, channels, pixels);
        DB += image.rowwise().sum();
      }
    }
  });
}

}  // namespace cograd
