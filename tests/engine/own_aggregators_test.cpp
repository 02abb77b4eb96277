// Aggregators from outside the library and the zoo, in the backward pass.
#include <fmt/ranges.h>

#include <cmath>
#include <numeric>
#include <tuple>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/aggregation/gram/gram_aggregator.h"
#include "cograd/engine/aggregation/parameter_aggregator.h"
#include "cograd/engine/aggregation/sign_sum.h"
#include "cograd/engine/ops/ops.h"
#include "tests/support/aggregation_cases.h"
#include "tests/support/backend_cases.h"
#include "tests/support/instruction_sets.h"

namespace cograd::testing {
namespace {

/// (smallest + largest) / 2.
struct Midrange {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    sort(x);
    return (x[0] + x[K - 1]) * T(0.5);
  }
};

/// The median by a functor.
struct OwnMedian {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    return median(x);
  }
};

/// All weight on the longest gradient.
class Longest final : public GramAggregator {
 public:
  using GramAggregator::GramAggregator;
  std::string name() const override { return fmt::format("longest:{}", group_count()); }

 private:
  std::vector<double> weights_of(const GramMatrix& gram) const override {
    std::vector<double> w(static_cast<std::size_t>(gram.size()), 0.0);
    std::int64_t best = 0;
    for (std::int64_t g = 1; g < gram.size(); ++g) {
      if (gram.norm(g) > gram.norm(best)) best = g;
    }
    w[static_cast<std::size_t>(best)] = 1.0;
    return w;
  }
};

bool contains_norm(std::string_view form) { return form.find('~') != std::string_view::npos; }

std::string all_forms() { return fmt::format("{}", fmt::join(aggregator_forms(), ", ")); }

std::vector<float> reduced(const Aggregator& aggregator, const Tensor& stack, Backend& backend) {
  Tensor out = Tensor::empty({stack.size(1)}, Dtype::f32, backend);
  backend.reduce(aggregator.over_groups(), stack.to(backend), out, nullptr);
  return out.to_vector<float>();
}

}  // namespace

TEST_CASE("coordinate-wise rules follow their definitions", "[own]") {
  check_coordinate_rules(reference_backend());
  check_coordinate_rules(cpu_backend());
}

TEST_CASE("coordinate-wise rules give published values", "[own]") {
  const Tensor byzfl =
      Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3}, reference_backend());
  // ByzFL's docstring of Meamed(1). 1 and 7 are equally far from the median 4: the first counts.
  CHECK(reduced(*parse_aggregator("meamed:3,1"), byzfl, cpu_backend()) ==
        std::vector<float>{2.5f, 3.5f, 4.5f});
  // DomainBed's mask_grads: the mean where the signs' mean reaches the threshold.
  const Tensor signs = Tensor::from(std::vector<float>{1, 1, -1, 2, 2, -2, 3, -3, -3, 4, -4, 4},
                                    {4, 3}, reference_backend());
  CHECK(reduced(*parse_aggregator("and:4,1"), signs, cpu_backend()) ==
        std::vector<float>{2.5f, 0.0f, 0.0f});
  CHECK(reduced(*parse_aggregator("and:4,0.5"), signs, cpu_backend()) ==
        std::vector<float>{2.5f, 0.0f, -0.5f});
  CHECK(reduced(*parse_aggregator("signs:4"), signs, cpu_backend()) ==
        std::vector<float>{1.0f, 0.0f, -1.0f});
  // The ICLR 2020 code's sum_sign and, over the number of examples, its sign_sum.
  CHECK(reduced(*parse_aggregator("signs:1"), signs.rows(2, 3), cpu_backend()) ==
        std::vector<float>{1.0f, -1.0f, -1.0f});
  Tensor all = signs.clone();
  Tensor mean = Tensor::empty({3}, Dtype::f32, reference_backend());
  SignSum().reduce(all, mean);
  CHECK(mean.to_vector<float>() == std::vector<float>{1.0f, 0.0f, -0.5f});
}

TEST_CASE("a Huber-type mean is the mean of values without outliers and bounds one", "[own]") {
  const auto huber = parse_aggregator("huber:5");
  const auto of = [&](float far) {
    return reduced(
        *huber,
        Tensor::from(std::vector<float>{-1, -0.5, 0.5, 1, far}, {5, 1}, reference_backend()),
        cpu_backend())[0];
  };
  CHECK(of(0.0f) == Approx(0.0f).margin(1e-6));
  CHECK(of(1e3f) == Approx(of(1e6f)).margin(0.01));
  CHECK(of(1e6f) < 1.0f);
}

TEST_CASE("a functor is an aggregator of any K up to sixteen, on every instruction set", "[own]") {
  Random random(85);
  for (const std::int64_t k : {1, 2, 3, 7, 16}) {
    const Tensor stack = random_f32({k, 1003}, random);
    const auto midrange = coordinate_wise(fmt::format("midrange:{}", k), k, Midrange{});
    CHECK(midrange->groups(k) == k);
    CHECK(midrange->name() == fmt::format("midrange:{}", k));
    const auto expected = reduced(*midrange, stack, reference_backend());
    const auto own = coordinate_wise("own", k, OwnMedian{});
    const auto median = reduced(MedianOfMeans(k), stack, reference_backend());
    for (const std::string& name : instruction_sets()) {
      const Using set(name);
      CHECK(reduced(*midrange, stack, cpu_backend()) == expected);
      CHECK(reduced(*own, stack, cpu_backend()) == median);
    }
  }
  CHECK_THROWS_WITH(coordinate_wise("wide", 17, Midrange{}), "[wide] 17 groups: expected 1 to 16");
  CHECK_THROWS_WITH(coordinate_wise("none", 0, Midrange{}), "[none] 0 groups: expected 1 to 16");
  CHECK_THROWS_WITH(coordinate_wise("m", 5, Midrange{})->groups(4),
                    "[m] a batch of 4 cannot be split into 5 groups: expected at least 5");
}

TEST_CASE("the group gradients' inner products are summed in double", "[own]") {
  check_inner_products(reference_backend());
  check_inner_products(cpu_backend());
}

TEST_CASE("the backward pass aggregates as defined", "[own]") {
  check_backward_by_definition(reference_backend(), Dtype::f64, 1e-12);
  check_backward_by_definition(cpu_backend(), Dtype::f32, 2e-5);
}

TEST_CASE("a Gram aggregator's graph is consumed, and leaves keep the gradient of the sum",
          "[own]") {
  Random random(86);
  Parameter w = parameter("w", {3, 4}, random);
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 1}, {4}, reference_backend());
  const Tensor x = normal({4, 4}, random);
  const auto leaf_gradient = [&](const Aggregator& rule, std::size_t budget) {
    const Variable leaf = Variable::leaf(x.clone(), Groups(4, 2));
    const Variable loss = cross_entropy(linear(leaf, w, nullptr), labels);
    backward(loss, rule, {.gram_budget = budget});
    CHECK_THROWS_WITH(backward(loss, rule), contains("consumed"));
    return leaf.gradient().to_vector<double>();
  };
  const auto expected = leaf_gradient(Mean(2), 0);
  CHECK(leaf_gradient(Longest(2), 0) == expected);
  CHECK(leaf_gradient(Longest(2), 1 << 20) == expected);
}

TEST_CASE("a gradient that is not finite makes the aggregate NaN, not a choice", "[own]") {
  Random random(87);
  Parameter w = parameter("w", {3, 4}, random);
  Tensor x = normal({4, 4}, random);
  x.data<double>()[0] = std::numeric_limits<double>::infinity();
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 1}, {4}, reference_backend());
  for (const std::size_t budget : {0, 1 << 20}) {
    const Variable loss = cross_entropy(linear(Variable(x, Groups(4, 2)), w, nullptr), labels);
    backward(loss, Longest(2), {.gram_budget = budget});
    for (const double g : w.gradient.to_vector<double>()) CHECK(std::isnan(g));
  }
}

TEST_CASE("an observer sees the gradients of the groups, and changes nothing", "[own]") {
  Random random(88);
  Parameter w = parameter("w", {3, 4}, random);
  const Tensor x = normal({6, 4}, random);
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 1, 0, 2}, {6}, reference_backend());
  const auto loss = [&](const Tensor& rows, const Tensor& of, std::int64_t k) {
    return cross_entropy(linear(Variable(rows, Groups(rows.size(0), k)), w, nullptr), of);
  };
  std::vector<double> expected;
  for (std::int64_t g = 0; g < 3; ++g) {
    backward(loss(x.rows(2 * g, 2 * g + 2), labels.rows(2 * g, 2 * g + 2), 1), Mean());
    for (const double v : w.gradient.to_vector<double>()) expected.push_back(v);
  }
  backward(loss(x, labels, 3), MedianOfMeans(3));
  const auto median = w.gradient.to_vector<double>();
  int calls = 0;
  backward(loss(x, labels, 3), MedianOfMeans(3),
           {.observe = [&](const Parameter& p, const Tensor& g) {
             ++calls;
             CHECK(&p == &w);
             CHECK(relative_error(g.to_vector<double>(), expected) <= 1e-14);
           }});
  CHECK(calls == 1);
  CHECK(relative_error(w.gradient.to_vector<double>(), median) <= 1e-14);
  // Of one group as well, where the gradient would have been written directly.
  calls = 0;
  backward(loss(x, labels, 1), Mean(), {.observe = [&](const Parameter&, const Tensor& g) {
             ++calls;
             CHECK(g.shape() == Shape{1, 3, 4});
           }});
  CHECK(calls == 1);
}

TEST_CASE("every form of aggregator is read, and names itself as it is read", "[own]") {
  for (const char* name :
       {"mean",    "mean:3",   "m3",          "mom:5",           "rm3",        "rm7",
        "ra3",     "ra2",      "trimmed:5,1", "winsorized:4",    "meamed:5,1", "and:4,0.25",
        "signs:3", "huber:7",  "krum:5,1",    "multikrum:5,1,2", "geomed:4",   "clipping:4,0.5,3",
        "mgda:2",  "upgrad:3", "pcgrad:4",    "gaf:4,0.97",      "m3~mean",    "mean~mom:5",
        "sign_sum"}) {
    CHECK(parse_aggregator(name)->name() == name);
    const std::string_view all = name;
    if (all.starts_with("rm7") || all.starts_with("ra2") || contains_norm(all)) continue;
    CHECK_THAT(all_forms(), contains(std::string(all.substr(0, all.find(':')))));
  }
  for (const char* name :
       {"",           "krum", "krum:5",   "krum:5,1,2", "krum:5;1",    "krum:,",     "krum:5,1,",
        "krum:nan,1", "m3:4", "rm",       "rmx",        "meamed:5 ,1", "huber:1e99", "~",
        "m3~",        "~m3",  "m3~~mean", "m3~rm3",     "rm3~mean",    "m3~krum:5,1"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(parse_aggregator(name), ValueError);
  }
  CHECK_THROWS_WITH(parse_aggregator("krum:5,3"),
                    "[krum:5,3] 3 of 5 groups leave 0 neighbours: expected K >= F + 3");
  CHECK_THROWS_WITH(parse_aggregator("krum:5.5,1"), contains("cannot read 'krum:5.5,1'"));
  CHECK_THROWS_WITH(parse_aggregator("huber:17"), "[huber:17] 17 groups: expected 1 to 16");
}

TEST_CASE("a matched gradient has one rule's direction and the other's norm", "[own]") {
  Random random(31);
  constexpr std::int64_t kSize = 1021;
  const Tensor stack = random_f32({3, kSize}, random);
  for (Backend* backend : {&reference_backend(), &cpu_backend()}) {
    CAPTURE(backend->name());
    const auto norm = [](const std::vector<float>& x) {
      return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
    };
    const std::vector<float> median = reduced(MedianOfMeans(3), stack, *backend);
    const std::vector<float> mean = reduced(Mean(3), stack, *backend);
    for (const auto& [name, direction, length] :
         {std::tuple{"m3~mean", &median, &mean}, {"mean~m3", &mean, &median}}) {
      CAPTURE(name);
      const auto rule = parse_aggregator(name);
      CHECK(rule->groups(30) == 3);
      Tensor groups = stack.to(*backend).clone(),
             gradient = Tensor::empty({kSize}, Dtype::f32, *backend);
      dynamic_cast<const ParameterAggregator&>(*rule).reduce(groups, gradient);
      const std::vector<float> got = gradient.to_vector<float>();
      CHECK(norm(got) == Approx(norm(*length)).epsilon(1e-6));
      const double factor = norm(*length) / norm(*direction);
      CHECK(std::abs(factor - 1.0) > 0.05);  // of normal values, a median has the larger norm
      for (std::size_t i = 0; i < got.size(); i += 97) {
        CHECK(got[i] == Approx(factor * (*direction)[i]).epsilon(1e-5).margin(1e-7));
      }
    }
  }
  // One group of three has all there is of a coordinate: the median's direction is none.
  Tensor sparse =
      Tensor::from(std::vector<float>{1, 0, 0, 0, 2, 0, 0, 0, 3}, {3, 3}, reference_backend());
  Tensor gradient = Tensor::empty({3}, Dtype::f32, reference_backend());
  dynamic_cast<const ParameterAggregator&>(*parse_aggregator("m3~mean")).reduce(sparse, gradient);
  CHECK(gradient.to_vector<float>() == std::vector<float>(3, 0.0f));
  CHECK_THROWS_WITH(parse_aggregator("mom:5~m3")->groups(30),
                    "[aggregator] mom:5~m3: 5 and 3 groups: expected the same number");
  CHECK_THROWS_WITH(parse_aggregator("m3~rm3"), contains("rm3 has no norm per parameter and step"));
}

TEST_CASE("a program names its own aggregators", "[own]") {
  register_aggregator({"longest", "K", [](std::span<const double> n) {
                         return std::make_unique<Longest>(whole_number(n[0]));
                       }});
  CHECK(parse_aggregator("longest:4")->name() == "longest:4");
  CHECK_THAT(all_forms(), contains("longest:K"));
  CHECK_THROWS_WITH(parse_aggregator("shortest:4"), contains("longest:K"));
  const auto taken = [](std::string name, std::string numbers) {
    register_aggregator({std::move(name), std::move(numbers),
                         [](std::span<const double>) { return std::make_unique<Mean>(); }});
  };
  CHECK_THROWS_WITH(taken("longest", "N"), "[aggregator] 'longest' is taken");
  CHECK_THROWS_WITH(taken("mean", ""), "[aggregator] 'mean' is taken");
  CHECK_THROWS_WITH(taken("", ""), contains("expected letters, digits and _"));
  CHECK_THROWS_WITH(taken("a:b", ""), contains("expected letters, digits and _"));
}

}  // namespace cograd::testing
