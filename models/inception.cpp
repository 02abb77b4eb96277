#include "cograd/models/inception.h"

#include <string>

#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

/// The std of all weights. torchvision truncates the normal distribution at 20 stds.
constexpr double kInitStd = 0.1;
constexpr PoolGeometry kShrink{.kernel = {3, 3}, .stride = {2, 2}};
/// Averages count the padding: the divisor is always 9.
constexpr PoolGeometry kSmooth{.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}};

/// relu(bn(conv(x))), the convolution without a bias.
class ConvBlock final : public Module {
 public:
  ConvBlock(std::int64_t in, std::int64_t out, Pair kernel, std::int64_t stride, Pair padding,
            Random& random) {
    conv_ = register_module(
        "conv", std::make_shared<Conv2d>(
                    in, out,
                    Conv2dOptions{.kernel = kernel,
                                  .geometry = {.stride = {stride, stride}, .padding = padding},
                                  .bias = false},
                    random));
    conv_->weight().value = init::normal(conv_->weight().value.shape(), kInitStd, random);
    bn_ = register_module(
        "bn", std::make_shared<BatchNorm2d>(out, BatchNorm2dOptions{.eps = 1e-3, .relu = true}));
  }
  Variable forward(Variable x) override { return bn_->forward(conv_->forward(std::move(x))); }

 private:
  std::shared_ptr<Conv2d> conv_;
  std::shared_ptr<BatchNorm2d> bn_;
};

/// Makes blocks with the channels of the paper times width / 32.
struct Maker {
  std::int64_t width;
  Random& random;

  std::int64_t scaled(std::int64_t channels) const {
    return std::max<std::int64_t>(1, channels * width / 32);
  }
  /// `in` counts actual channels, `out` those of the paper. `same` pads to keep the size; otherwise
  /// there is no padding.
  std::shared_ptr<ConvBlock> conv(std::int64_t in, std::int64_t out, Pair kernel,
                                  std::int64_t stride = 1, bool same = true) const {
    const Pair padding = same ? Pair{kernel[0] / 2, kernel[1] / 2} : Pair{0, 0};
    return std::make_shared<ConvBlock>(in, scaled(out), kernel, stride, padding, random);
  }
};

/// A chain of convolutions.
struct Branch {
  std::vector<std::shared_ptr<Module>> steps;
  Variable operator()(Variable x) const {
    for (const auto& step : steps) x = step->forward(std::move(x));
    return x;
  }
};

/// Base of the mixed blocks: registers convolutions under the names of their branches.
class Mixed : public Module {
 protected:
  Mixed(const Maker& make, std::int64_t in) : make_(make), in_(in) {}

  struct Step {
    std::string name;
    std::int64_t channels;  // of the paper
    Pair kernel;
    std::int64_t stride = 1;
    bool same = true;
  };
  Branch branch(const std::vector<Step>& steps) {
    Branch result;
    std::int64_t in = in_;
    for (const Step& s : steps) {
      result.steps.push_back(
          register_module(s.name, make_.conv(in, s.channels, s.kernel, s.stride, s.same)));
      in = make_.scaled(s.channels);
    }
    return result;
  }
  /// One convolution after the last of `before`.
  Branch after(std::int64_t in, const Step& s) {
    return {{register_module(s.name, make_.conv(in, s.channels, s.kernel, s.stride, s.same))}};
  }

  const Maker make_;
  const std::int64_t in_;
};

/// Mixed_5b to 5d (figure 5 of the paper, the 5x5 kept whole).
class InceptionA final : public Mixed {
 public:
  InceptionA(const Maker& make, std::int64_t in, std::int64_t pool) : Mixed(make, in) {
    one_ = branch({{"branch1x1", 64, {1, 1}}});
    five_ = branch({{"branch5x5_1", 48, {1, 1}}, {"branch5x5_2", 64, {5, 5}}});
    three_ = branch({{"branch3x3dbl_1", 64, {1, 1}},
                     {"branch3x3dbl_2", 96, {3, 3}},
                     {"branch3x3dbl_3", 96, {3, 3}}});
    pool_ = branch({{"branch_pool", pool, {1, 1}}});
  }
  Variable forward(Variable x) override {
    return concat({one_(x), five_(x), three_(x), pool_(avg_pool2d(x, kSmooth))});
  }

 private:
  Branch one_, five_, three_, pool_;
};

/// Mixed_6a (figure 10): halves the size.
class InceptionB final : public Mixed {
 public:
  InceptionB(const Maker& make, std::int64_t in) : Mixed(make, in) {
    three_ = branch({{"branch3x3", 384, {3, 3}, 2, false}});
    double_ = branch({{"branch3x3dbl_1", 64, {1, 1}},
                      {"branch3x3dbl_2", 96, {3, 3}},
                      {"branch3x3dbl_3", 96, {3, 3}, 2, false}});
  }
  Variable forward(Variable x) override {
    return concat({three_(x), double_(x), max_pool2d(x, kShrink)});
  }

 private:
  Branch three_, double_;
};

/// Mixed_6b to 6e (figure 6): 7x7 as 1x7 and 7x1.
class InceptionC final : public Mixed {
 public:
  InceptionC(const Maker& make, std::int64_t in, std::int64_t c) : Mixed(make, in) {
    one_ = branch({{"branch1x1", 192, {1, 1}}});
    seven_ = branch(
        {{"branch7x7_1", c, {1, 1}}, {"branch7x7_2", c, {1, 7}}, {"branch7x7_3", 192, {7, 1}}});
    double_ = branch({{"branch7x7dbl_1", c, {1, 1}},
                      {"branch7x7dbl_2", c, {7, 1}},
                      {"branch7x7dbl_3", c, {1, 7}},
                      {"branch7x7dbl_4", c, {7, 1}},
                      {"branch7x7dbl_5", 192, {1, 7}}});
    pool_ = branch({{"branch_pool", 192, {1, 1}}});
  }
  Variable forward(Variable x) override {
    return concat({one_(x), seven_(x), double_(x), pool_(avg_pool2d(x, kSmooth))});
  }

 private:
  Branch one_, seven_, double_, pool_;
};

/// Mixed_7a: halves the size.
class InceptionD final : public Mixed {
 public:
  InceptionD(const Maker& make, std::int64_t in) : Mixed(make, in) {
    three_ = branch({{"branch3x3_1", 192, {1, 1}}, {"branch3x3_2", 320, {3, 3}, 2, false}});
    seven_ = branch({{"branch7x7x3_1", 192, {1, 1}},
                     {"branch7x7x3_2", 192, {1, 7}},
                     {"branch7x7x3_3", 192, {7, 1}},
                     {"branch7x7x3_4", 192, {3, 3}, 2, false}});
  }
  Variable forward(Variable x) override {
    return concat({three_(x), seven_(x), max_pool2d(x, kShrink)});
  }

 private:
  Branch three_, seven_;
};

/// Mixed_7b and 7c (figure 7): branches that end in 1x3 and 3x1 in parallel.
class InceptionE final : public Mixed {
 public:
  InceptionE(const Maker& make, std::int64_t in) : Mixed(make, in) {
    const std::int64_t c = make.scaled(384);
    one_ = branch({{"branch1x1", 320, {1, 1}}});
    three_ = branch({{"branch3x3_1", 384, {1, 1}}});
    three_a_ = after(c, {"branch3x3_2a", 384, {1, 3}});
    three_b_ = after(c, {"branch3x3_2b", 384, {3, 1}});
    double_ = branch({{"branch3x3dbl_1", 448, {1, 1}}, {"branch3x3dbl_2", 384, {3, 3}}});
    double_a_ = after(c, {"branch3x3dbl_3a", 384, {1, 3}});
    double_b_ = after(c, {"branch3x3dbl_3b", 384, {3, 1}});
    pool_ = branch({{"branch_pool", 192, {1, 1}}});
  }
  Variable forward(Variable x) override {
    const Variable three = three_(x), twice = double_(x);
    return concat({one_(x), three_a_(three), three_b_(three), double_a_(twice), double_b_(twice),
                   pool_(avg_pool2d(x, kSmooth))});
  }

 private:
  Branch one_, three_, three_a_, three_b_, double_, double_a_, double_b_, pool_;
};

}  // namespace

InceptionV3::InceptionV3(const InceptionOptions& o, Random& random) : stem_(o.stem) {
  require<ValueError>(
      o.classes >= 1 && o.base_width >= 1 && o.channels >= 1,
      "[inception] channels, classes and base width must be at least 1, not {}, {}, {}", o.channels,
      o.classes, o.base_width);
  const Maker make{o.base_width, random};
  const auto c = [&](std::int64_t channels) { return make.scaled(channels); };
  const std::int64_t stride = stem_ == InceptionStem::imagenet ? 2 : 1;
  conv1a_ = register_module("Conv2d_1a_3x3", make.conv(o.channels, 32, {3, 3}, stride, false));
  conv2a_ = register_module("Conv2d_2a_3x3", make.conv(c(32), 32, {3, 3}, 1, false));
  conv2b_ = register_module("Conv2d_2b_3x3", make.conv(c(32), 64, {3, 3}));
  conv3b_ = register_module("Conv2d_3b_1x1", make.conv(c(64), 80, {1, 1}));
  conv4a_ = register_module("Conv2d_4a_3x3", make.conv(c(80), 192, {3, 3}, 1, false));

  const auto add = [&](const std::string& name, auto block) {
    mixed_.push_back(register_module("Mixed_" + name, std::move(block)));
  };
  const auto sum = [&](std::initializer_list<std::int64_t> branches) {
    std::int64_t total = 0;
    for (const std::int64_t b : branches) total += c(b);
    return total;
  };
  const std::int64_t after5b = sum({64, 64, 96, 32}), after5 = sum({64, 64, 96, 64});
  const std::int64_t after6 = sum({192, 192, 192, 192});
  const std::int64_t after6a = sum({384, 96}) + after5, after7a = sum({320, 192}) + after6;
  const std::int64_t after7 = sum({320, 384, 384, 384, 384, 192});
  add("5b", std::make_shared<InceptionA>(make, c(192), 32));
  add("5c", std::make_shared<InceptionA>(make, after5b, 64));
  add("5d", std::make_shared<InceptionA>(make, after5, 64));
  add("6a", std::make_shared<InceptionB>(make, after5));
  add("6b", std::make_shared<InceptionC>(make, after6a, 128));
  add("6c", std::make_shared<InceptionC>(make, after6, 160));
  add("6d", std::make_shared<InceptionC>(make, after6, 160));
  add("6e", std::make_shared<InceptionC>(make, after6, 192));
  add("7a", std::make_shared<InceptionD>(make, after6));
  add("7b", std::make_shared<InceptionE>(make, after7a));
  add("7c", std::make_shared<InceptionE>(make, after7));
  dropout_ = register_module("dropout", std::make_shared<Dropout>(o.dropout, random.next()));
  fc_ = register_module("fc", std::make_shared<Linear>(after7, o.classes, random));
  fc_->weight().value = init::normal({o.classes, after7}, kInitStd, random);
}

Variable InceptionV3::forward(Variable x) {
  x = conv2b_->forward(conv2a_->forward(conv1a_->forward(std::move(x))));
  if (stem_ == InceptionStem::imagenet) x = max_pool2d(x, kShrink);
  x = max_pool2d(conv4a_->forward(conv3b_->forward(std::move(x))), kShrink);
  for (const auto& block : mixed_) x = block->forward(std::move(x));
  return fc_->forward(flatten(dropout_->forward(adaptive_avg_pool2d(x, {1, 1}))));
}

}  // namespace cograd
