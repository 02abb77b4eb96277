// Batch norm with its epilogue, over all groups at once: two passes over memory forward (moments,
// normalize) and two backward (sums, input gradient). The loops are ours: oneDNN knows neither
// groups nor residuals. One thread works on each block of channels of each image, and the blocks
// are summed up in order, so no result depends on the number of threads.
#include <array>
#include <cmath>

#include "cograd/engine/cpu/activations.h"
#include "cograd/engine/cpu/batch_norm_kernels.h"
#include "cograd/engine/cpu/channel_blocks.h"
#include "cograd/engine/cpu/cpu_backend.h"

namespace cograd {
namespace cpu {

template <>
const BatchNormKernels<float>& batch_norm_kernels() {
  return COGRAD_TABLE_IN_FORCE(kBatchNormF32);
}
template <>
const BatchNormKernels<std::uint16_t>& batch_norm_kernels() {
  return COGRAD_TABLE_IN_FORCE(kBatchNormBf16);
}

}  // namespace cpu

namespace {

using cpu::batch_norm_kernels;
using cpu::Blocks;
using cpu::dispatch;
using cpu::Normalization;
using cpu::PartialSums;

template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

/// The normalization of each block of x, [S][blocks], S as in BatchStatistics; zero where C ends.
class Normalizations {
 public:
  Normalizations(const Blocks& blocks, const BatchStatistics& statistics, const Tensor& gamma,
                 const Tensor& beta, const Groups& groups)
      : sets(statistics.mean.numel() / blocks.channels),
        all_(static_cast<std::size_t>(sets * blocks.count)),
        blocks_(blocks.count),
        groups_(groups) {
    for (std::int64_t s = 0; s < sets; ++s) {
      const float* mean = statistics.mean.data<float>() + s * blocks.channels;
      const float* variance = statistics.variance.data<float>() + s * blocks.channels;
      for (std::int64_t c = 0; c < blocks.channels; ++c) {
        Normalization& n = all_[static_cast<std::size_t>(s * blocks_ + c / blocks.block.lanes)];
        const std::int64_t lane = c % blocks.block.lanes;
        n.mean[lane] = mean[c];
        n.scale[lane] =
            static_cast<float>(gamma.data<float>()[c] / std::sqrt(variance[c] + statistics.eps));
        n.shift[lane] = beta.data<float>()[c];
      }
    }
  }

  std::int64_t sets;

  std::size_t size() const { return all_.size(); }
  const Normalization& operator[](std::size_t i) const { return all_[i]; }
  /// Of a block of an image.
  std::size_t index(std::int64_t image, std::int64_t block) const {
    return static_cast<std::size_t>((sets == 1 ? 0 : groups_.group_of(image)) * blocks_ + block);
  }

 private:
  std::vector<Normalization> all_;
  std::int64_t blocks_;
  Groups groups_;
};

/// x is input.x in blocks.
Tensor normalized(const BatchNormInput& input, const Tensor& x, const BatchStatistics& statistics,
                  const Groups& groups) {
  const Blocks blocks(x);
  const Normalizations how(blocks, statistics, input.gamma, input.beta, groups);
  const Tensor& residual = input.residual;
  const Tensor other = residual.defined() ? cpu::reordered(residual, x.layout()) : residual;
  Tensor y = Tensor::empty_like(x);
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* r = data_or_null<T>(other);
    blocks.for_each([&](std::int64_t image, std::int64_t b) {
      const std::int64_t at = blocks.offset(image, b);
      batch_norm_kernels<T>().normalize(blocks.block, how[how.index(image, b)], x.data<T>() + at,
                                        r == nullptr ? nullptr : r + at, y.data<T>() + at,
                                        input.epilogue != Epilogue::none);
    });
  });
  return cpu::for_next_op(y);
}

void check_dtype(const BatchNormInput& input) {
  require<DtypeError>(input.gamma.dtype() == Dtype::f32,
                      "[batch_norm] the weight of {} activations must be f32, not {}",
                      name_of(input.x.dtype()), name_of(input.gamma.dtype()));
}

/// Mean and squared deviations of each image's pixels.
PartialSums image_moments(const Tensor& x) {
  PartialSums moments{Blocks(x)};
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Blocks& blocks = moments.blocks;
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      batch_norm_kernels<T>().moments(blocks.block, x.data<T>() + blocks.offset(n, b),
                                      moments.first_of(n, b), moments.second_of(n, b));
    });
  });
  return moments;
}

/// The statistics of each group, which `running` follows. Chan, Golub and LeVeque, "Updating
/// formulae and a pairwise algorithm for computing sample variances", 1979: the squares within the
/// images and those between them.
BatchStatistics group_statistics(const PartialSums& moments, const Groups& groups, double eps,
                                 RunningStatistics& running, Backend& backend) {
  const std::int64_t channels = moments.blocks.channels;
  BatchStatistics statistics{Tensor::zeros({groups.count(), channels}, Dtype::f32, backend),
                             Tensor::zeros({groups.count(), channels}, Dtype::f32, backend), eps};
  const auto pixels = static_cast<double>(moments.blocks.block.pixels);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    if (r.size() == 0) continue;  // a micro-batch without examples of this group
    const double n = static_cast<double>(r.size()) * pixels;
    for (std::int64_t c = 0; c < channels; ++c) {
      double mean = 0.0, squares = 0.0;
      moments.for_channel(r, c, [&](double m, double) { mean += m * pixels; });
      mean /= n;
      moments.for_channel(
          r, c, [&](double m, double s) { squares += s + pixels * (m - mean) * (m - mean); });
      statistics.mean.data<float>()[g * channels + c] = static_cast<float>(mean);
      statistics.variance.data<float>()[g * channels + c] = static_cast<float>(squares / n);
      if (!running.mean.defined()) continue;
      const auto update = [&](Tensor& statistic, double value) {
        float& s = statistic.data<float>()[c];
        s = static_cast<float>(running_average<double>(s, value, running.momentum));
      };
      update(running.mean, mean);
      update(running.variance, squares / (n - 1));
    }
  }
  return statistics;
}

/// dx = scale dz - a - b (x - mean) per channel of a block.
struct InputTerms {
  std::array<float, 16> a{}, b{};
};

/// dgamma and dbeta from the sums of dz and dz (x - mean), and the terms of dx, indexed as `how`:
/// a = scale (sum dz) / n, b = scale (sum dz (x - mean)) s^2 / n, s = 1 / sqrt(variance + eps).
/// Statistics of the whole batch sum over all groups.
std::vector<InputTerms> finish_gradients(const PartialSums& sums, const BatchNormBackward& in,
                                         const Normalizations& how, GroupGradients& dgamma,
                                         GroupGradients& dbeta) {
  const Blocks& blocks = sums.blocks;
  const std::int64_t channels = blocks.channels, groups = in.groups.count();
  std::vector<InputTerms> terms(how.size());
  for (std::int64_t set = 0; set < how.sets; ++set) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float variance = in.statistics.variance.data<float>()[set * channels + c];
      const double inverse = 1.0 / std::sqrt(variance + in.statistics.eps);
      double all = 0.0, all_centered = 0.0, n = 0.0;
      const bool whole = how.sets == 1;
      for (std::int64_t g = whole ? 0 : set; g < (whole ? groups : set + 1); ++g) {
        const RowRange r = in.groups.range(g);
        double sum = 0.0, centered = 0.0;
        sums.for_channel(r, c, [&](double s, double t) { sum += s, centered += t; });
        const auto put = [&](GroupGradients& to, double value) {
          float& v = to.values.data<float>()[g * channels + c];
          v = static_cast<float>(to.write == Write::accumulate ? v + value : value);
        };
        put(dgamma, centered * inverse);
        put(dbeta, sum);
        all += sum, all_centered += centered;
        n += static_cast<double>(r.size()) * static_cast<double>(blocks.block.pixels);
      }
      if (in.statistics.constant || n == 0.0) continue;
      const auto block = static_cast<std::size_t>(set * blocks.count + c / blocks.block.lanes);
      const auto lane = static_cast<std::size_t>(c % blocks.block.lanes);
      const double scale = static_cast<double>(how[block].scale[lane]);
      terms[block].a[lane] = static_cast<float>(scale * all / n);
      terms[block].b[lane] = static_cast<float>(scale * all_centered * inverse * inverse / n);
    }
  }
  return terms;
}

}  // namespace

BatchNormResult CpuBackend::batch_norm(const BatchNormInput& input, const Groups& groups,
                                       double eps, RunningStatistics& running) {
  check_dtype(input);
  const Tensor x = cpu::in_blocks(input.x);
  const BatchStatistics statistics =
      group_statistics(image_moments(x), groups, eps, running, *this);
  if (running.batches.defined()) {
    fill(running.batches, static_cast<double>(groups.count()), Write::accumulate);
  }
  return {normalized(input, x, statistics, groups), statistics};
}

Tensor CpuBackend::batch_norm_inference(const BatchNormInput& input,
                                        const BatchStatistics& statistics) {
  check_dtype(input);
  return normalized(input, cpu::in_blocks(input.x), statistics, Groups(input.x.size(0), 1));
}

BatchNormGradient CpuBackend::batch_norm_backward(const BatchNormBackward& in,
                                                  GroupGradients dgamma, GroupGradients dbeta) {
  const Tensor x = cpu::in_blocks(in.x), dy = cpu::reordered(in.dy, x.layout());
  const Blocks blocks(x);
  const Normalizations how(blocks, in.statistics, in.gamma, in.beta, in.groups);

  // After add_relu the mask needs y, and dz is a result too. Else the mask comes from x again,
  // which is read anyway.
  const bool adds = in.epilogue == Epilogue::add_relu, masks = in.epilogue == Epilogue::relu;
  const bool ours = in.in_place || dy.layout() != in.dy.layout();
  Tensor dz = adds && !ours ? Tensor::empty_like(x) : dy;
  PartialSums sums(blocks);  // of dz, and of dz (x - mean)
  const Tensor y = adds ? cpu::reordered(in.y, x.layout()) : Tensor();
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = dz.data<T>();
    const T* out = data_or_null<T>(y);
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      const std::int64_t at = blocks.offset(n, b);
      batch_norm_kernels<T>().gradient_sums(blocks.block, how[how.index(n, b)], x.data<T>() + at,
                                            adds ? out + at : nullptr, dy.data<T>() + at, to + at,
                                            masks, sums.first_of(n, b), sums.second_of(n, b));
    });
  });

  const std::vector<InputTerms> terms = finish_gradients(sums, in, how, dgamma, dbeta);
  Tensor dx = adds || !ours ? Tensor::empty_like(x) : dz;
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = std::as_const(dz).data<T>();
    T* to = dx.data<T>();
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      const std::int64_t at = blocks.offset(n, b);
      const std::size_t i = how.index(n, b);
      batch_norm_kernels<T>().input_gradient(blocks.block, how[i], terms[i].a.data(),
                                             terms[i].b.data(), x.data<T>() + at, from + at,
                                             to + at, masks);
    });
  });
  return {cpu::for_next_op(dx), adds ? cpu::for_next_op(dz) : Tensor()};
}

}  // namespace cograd
