#include "cograd/layers/batch_norm.h"

#include "cograd/layers/init.h"

namespace cograd {

BatchNorm2d::BatchNorm2d(std::int64_t channels, BatchNorm2dOptions options) : options_(options) {
  require<ValueError>(channels >= 1, "[batch_norm] expected at least 1 channel, not {}", channels);
  require<ValueError>(options.eps > 0.0, "[batch_norm] eps must be positive, not {}", options.eps);
  require<ValueError>(options.momentum >= 0.0 && options.momentum <= 1.0,
                      "[batch_norm] momentum must be in [0, 1], not {}", options.momentum);
  weight_ = &register_parameter("weight", init::constant({channels}, 1.0));
  bias_ = &register_parameter("bias", init::constant({channels}, 0.0));
  running_mean_ = &register_buffer("running_mean", init::constant({channels}, 0.0));
  running_variance_ = &register_buffer("running_var", init::constant({channels}, 1.0));
  batches_tracked_ =
      &register_buffer("num_batches_tracked", Tensor::zeros({}, Dtype::i64, reference_backend()));
}

RunningStatistics BatchNorm2d::running() const {
  return {*running_mean_, *running_variance_, options_.momentum};
}

Variable BatchNorm2d::forward(Variable x) {
  return forward(x, options_.relu ? Epilogue::relu : Epilogue::none, {});
}

Variable BatchNorm2d::forward(const Variable& x, Variable residual) {
  return forward(x, Epilogue::add_relu, std::move(residual));
}

Variable BatchNorm2d::forward(const Variable& x, Epilogue epilogue, Variable residual) {
  RunningStatistics running = this->running();
  if (!training()) {
    return batch_norm_inference(x, *weight_, *bias_, running, options_.eps, epilogue,
                                std::move(residual));
  }
  if (normalize_) {
    batches_tracked_->backend().fill(*batches_tracked_, static_cast<double>(x.groups().count()),
                                     Write::accumulate);
    return normalize_(x, *weight_, *bias_, running, options_.eps, epilogue, std::move(residual));
  }
  running.batches = *batches_tracked_;
  return batch_norm(x, *weight_, *bias_, running, options_.eps, options_.statistics, epilogue,
                    std::move(residual));
}

}  // namespace cograd
