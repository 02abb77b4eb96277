// The backward pass: grouping, sharing, micro-batches, memory, and what it refuses.
#include "cograd/engine/autograd.h"

#include <algorithm>
#include <limits>
#include <string>

#include "cograd/engine/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"

namespace cograd::testing {
namespace {

/// Two layers with a ReLU between, the first weight used twice when `tied`.
struct Net {
  Parameter w1, b1, w2, b2;
  bool tied;

  Net(Random& random, bool tied_, std::int64_t width = 6)
      : w1(parameter("w1", {width, width}, random)),
        b1(parameter("b1", {width}, random)),
        w2(parameter("w2", {3, width}, random)),
        b2(parameter("b2", {3}, random)),
        tied(tied_) {}

  std::vector<Parameter*> parameters() { return {&w1, &b1, &w2, &b2}; }

  Variable loss(const Tensor& x, const Tensor& labels, const Groups& groups) {
    Variable h = relu(linear(Variable(x, groups), w1, &b1));
    if (tied) h = relu(linear(h, w1, &b1));
    return cross_entropy(linear(h, w2, &b2), labels);
  }
};

struct Batch {
  Tensor x, labels;
  Batch(std::int64_t n, std::int64_t width, Random& random) : x(normal({n, width}, random)) {
    std::vector<std::int64_t> l;
    for (std::int64_t i = 0; i < n; ++i) l.push_back(static_cast<std::int64_t>(random.below(3)));
    labels = Tensor::from(l, {n}, reference_backend());
  }
};

std::vector<std::vector<double>> gradients(Net& net) {
  std::vector<std::vector<double>> all;
  for (Parameter* p : net.parameters()) all.push_back(p->gradient.to_vector<double>());
  return all;
}

/// Median over the groups of the gradients of each group run on its own.
std::vector<std::vector<double>> median_of_separate(Net& net, const Batch& batch,
                                                    const Groups& groups) {
  std::vector<std::vector<std::vector<double>>> per_group;
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    Mean mean;
    backward(net.loss(batch.x.rows(r.begin, r.end), batch.labels.rows(r.begin, r.end),
                      Groups(r.size(), 1)),
             mean);
    per_group.push_back(gradients(net));
  }
  auto result = per_group[0];
  for (std::size_t p = 0; p < result.size(); ++p) {
    for (std::size_t i = 0; i < result[p].size(); ++i) {
      std::vector<double> values;
      for (const auto& g : per_group) values.push_back(g[p][i]);
      std::sort(values.begin(), values.end());
      const std::size_t k = values.size();
      result[p][i] = (values[(k - 1) / 2] + values[k / 2]) / 2;
    }
  }
  return result;
}

void check_close(const std::vector<std::vector<double>>& a,
                 const std::vector<std::vector<double>>& b) {
  for (std::size_t p = 0; p < a.size(); ++p) {
    CAPTURE(p);
    CHECK(relative_error(a[p], b[p]) <= 1e-12);
  }
}

}  // namespace

TEST_CASE("one grouped backward equals the median of separate ones", "[autograd]") {
  for (bool tied : {false, true}) {
    for (std::int64_t k : {1, 2, 3, 4, 7}) {
      CAPTURE(tied, k);
      Random random(31, static_cast<std::uint64_t>(k));
      Net net(random, tied);
      const Batch batch(7, 6, random);  // sizes differ by one when k does not divide 7
      const Groups groups(7, k);
      const auto expected = median_of_separate(net, batch, groups);
      MedianOfMeans rule(k);
      backward(net.loss(batch.x, batch.labels, groups), rule);
      check_close(gradients(net), expected);
    }
  }
}

TEST_CASE("micro-batches give what the whole batch gives", "[autograd]") {
  for (bool tied : {false, true}) {
    for (std::int64_t k : {1, 3}) {
      CAPTURE(tied, k);
      Random random(32, static_cast<std::uint64_t>(k));
      Net net(random, tied);
      const Batch batch(11, 6, random);
      const Groups groups(11, k);
      MedianOfMeans rule(k);
      backward(net.loss(batch.x, batch.labels, groups), rule);
      const auto whole = gradients(net);

      Backward pass(rule);
      for (const auto& [begin, end] : {std::pair{0, 2}, std::pair{2, 9}, std::pair{9, 11}}) {
        pass.run(net.loss(batch.x.rows(begin, end), batch.labels.rows(begin, end),
                          groups.micro_batch(begin, end - begin)));
      }
      pass.finish();
      check_close(gradients(net), whole);
    }
  }
}

TEST_CASE("scratch of the median is K x the largest layer, not K x the model", "[autograd]") {
  constexpr std::int64_t kWidth = 128, kLayers = 12, kGroups = 3;
  Random random(33);
  std::vector<Parameter> weights;
  for (int i = 0; i < kLayers; ++i)
    weights.push_back(parameter("w", {kWidth, kWidth, 1, 1}, random));
  const Batch batch(6, kWidth, random);
  Allocator& allocator = reference_backend().allocator();
  const auto peak = [&](Aggregator& rule, std::int64_t k) {
    const auto step = [&] {
      Variable h(batch.x.reshape({6, kWidth, 1, 1}), Groups(6, k));
      for (Parameter& w : weights) h = conv2d(h, w, nullptr, {});
      backward(cross_entropy(flatten(h), batch.labels), rule);
    };
    step();  // the gradients exist from here on
    allocator.reset_peak();
    const std::size_t before = allocator.stats().in_use;
    step();
    CHECK(allocator.stats().in_use == before);  // nothing saved stays behind
    return allocator.stats().peak - before;
  };
  Mean mean;
  MedianOfMeans m3(kGroups);
  const std::size_t layer = kWidth * kWidth * sizeof(double);
  const std::size_t plain = peak(mean, 1);
  const std::size_t median = peak(m3, kGroups);
  CAPTURE(plain, median, layer);
  // K gradients of one layer are held at once (but for what the loss took before), and never those
  // of a second one.
  CHECK(median >= plain + kGroups * layer - layer / 100);
  CHECK(median <= plain + (kGroups + 1) * layer);
}

TEST_CASE("gradients of a dense layer's groups are reduced without being stored", "[autograd]") {
  constexpr std::int64_t kRows = 13, kIn = 37, kOut = 21;
  Random random(34);
  Parameter w = parameter("w", {kOut, kIn}, random), b = parameter("b", {kOut}, random);
  const Batch batch(kRows, kIn, random);
  const auto loss = [&](const Tensor& x, const Tensor& labels, const Groups& of) {
    return cross_entropy(relu(linear(Variable(x, of), w, &b)), labels);
  };
  for (const char* name :
       {"mom:13", "winsorized:8", "winsorized:0", "trimmed:13,2", "mom:4", "mean:3"}) {
    CAPTURE(name);
    const auto rule = parse_aggregator(name);
    const Groups groups(kRows, rule->groups(kRows));
    // As a micro-batch the groups' gradients are stored, [K, O, I].
    Backward stored(*rule, {.measure_coherence = true});
    stored.run(loss(batch.x, batch.labels, groups));
    stored.finish();
    const Tensor expected = w.gradient.clone();
    const GroupNorms norms = w.norms;
    Allocator& allocator = reference_backend().allocator();
    const Variable whole = loss(batch.x, batch.labels, groups);
    allocator.reset_peak();
    const std::size_t before = allocator.stats().in_use;
    backward(whole, *rule, {.measure_coherence = true});
    CHECK(allocator.stats().peak - before <
          static_cast<std::size_t>(groups.count() * kOut * kIn) * sizeof(double));
    CHECK(relative_error(w.gradient, expected) <= 1e-14);
    CHECK(w.norms.squared_mean == Approx(norms.squared_mean));
    CHECK(w.norms.mean_squared == Approx(norms.mean_squared));
  }
}

TEST_CASE("backward leaves each parameter its coherence", "[autograd]") {
  constexpr std::int64_t k = 4;
  Parameter w;
  w.name = "w";
  w.value = Tensor::zeros({1, k}, Dtype::f64, reference_backend());
  MedianOfMeans rule(k);
  const auto coherence = [&](const std::vector<double>& x) {
    const Variable input(Tensor::from(x, {k, k}, reference_backend()), Groups(k, k));
    const Tensor ones = Tensor::full({k, 1}, 1.0, Dtype::f64, reference_backend());
    backward(projected_loss(linear(input, w, nullptr), ones), rule, {.measure_coherence = true});
    return w.coherence();
  };
  std::vector<double> equal(k * k, 2.0), orthogonal(k * k, 0.0);
  for (std::size_t i = 0; i < k; ++i) orthogonal[i * k + i] = 3.0;
  CHECK(coherence(equal) == Approx(1.0).epsilon(1e-12));
  CHECK(coherence(orthogonal) == Approx(1.0 / k).epsilon(1e-12));
}

TEST_CASE("a pass says when a gradient is final, once for each parameter", "[autograd]") {
  Random random(5);
  Net net(random, true);
  const Batch batch(12, 6, random);
  const auto ready = [&](const Aggregator& rule, bool in_parts, std::size_t budget) {
    std::vector<std::string> names;
    std::vector<std::vector<double>> said;
    for (Parameter* p : net.parameters()) p->gradient = Tensor();
    BackwardOptions options{.ready = [&](Parameter& p) {
      names.push_back(p.name);
      said.push_back(p.gradient.to_vector<double>());
    }};
    options.gram_budget = budget;
    const Groups whole(12, rule.groups(12));
    Backward pass(rule, options);
    if (in_parts) {
      for (const std::int64_t first : {0, 6}) {
        pass.run(net.loss(batch.x.rows(first, first + 6), batch.labels.rows(first, first + 6),
                          whole.micro_batch(first, 6)));
      }
      CHECK(names.empty());
      pass.finish();
    } else {
      backward(net.loss(batch.x, batch.labels, whole), rule, options);
    }
    const std::vector<std::vector<double>> last = gradients(net);
    REQUIRE(names.size() == 4);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto parameters = net.parameters();
      const auto which = std::find_if(parameters.begin(), parameters.end(),
                                      [&](const Parameter* p) { return p->name == names[i]; });
      CHECK(said[i] == last[static_cast<std::size_t>(which - parameters.begin())]);
    }
    return names;
  };
  // The last layer's first, although the first layer is used twice.
  const std::vector<std::string> backwards{"w2", "b2", "w1", "b1"};
  CHECK(ready(Mean(), false, 0) == backwards);
  CHECK(ready(MedianOfMeans(3), false, 0) == backwards);
  CHECK(ready(*parse_aggregator("geomed:4"), false, 0) == backwards);
  CHECK(ready(*parse_aggregator("geomed:4"), false, std::size_t{1} << 20).size() == 4);
  CHECK(ready(Mean(), true, 0).size() == 4);
  CHECK(ready(MedianOfMeans(3), true, 0).size() == 4);
}

TEST_CASE("a NaN in one group reaches the median and the norms", "[autograd]") {
  Random random(35);
  Net net(random, false);
  Batch batch(6, 6, random);
  batch.x.data<double>()[0] = std::numeric_limits<double>::quiet_NaN();
  MedianOfMeans m3(3);
  backward(net.loss(batch.x, batch.labels, Groups(6, 3)), m3, {.measure_coherence = true});
  CHECK(std::isnan(net.b2.gradient.to_vector<double>()[0]));
  CHECK(std::isnan(net.b2.norms.squared_mean));
}

TEST_CASE("a leaf used twice receives the sum", "[autograd]") {
  Random random(36);
  const Variable x = Variable::leaf(normal({3, 2}, random));
  Mean mean;
  const Tensor weight = normal({3, 2}, random);
  backward(projected_loss(add(add(x, x), x), weight), mean);
  auto expected = weight.to_vector<double>();
  for (double& v : expected) v *= 3;
  CHECK(relative_error(x.gradient().to_vector<double>(), expected) <= 1e-15);
}

TEST_CASE("backward refuses what it cannot do", "[autograd]") {
  Random random(37);
  Net net(random, false);
  const Batch batch(6, 6, random);
  Mean mean;
  MedianOfMeans m3(3);
  const auto loss = [&](std::int64_t k) { return net.loss(batch.x, batch.labels, Groups(6, k)); };
  CHECK_THROWS_WITH(backward(loss(1), m3), contains("m3 needs a batch of 6 in 3 groups"));
  const Variable once = loss(1);
  backward(once, mean);
  CHECK_THROWS_WITH(backward(once, mean), contains("consumed"));
  {
    const NoGradient guard;
    CHECK_THROWS_WITH(backward(loss(1), mean), contains("depends on no parameter"));
  }
  CHECK(loss(1).requires_gradient());  // the guard is over
  CHECK_THROWS_AS(Groups(2, 3), ValueError);
  CHECK_THROWS_AS(Variable(batch.x, Groups(5, 1)), ShapeError);
  const Variable a(batch.x, Groups(6, 2)), b(batch.x, Groups(6, 3));
  CHECK_THROWS_WITH(add(a, b), contains("split differently"));
  CHECK_THROWS_AS(a.gradient(), ValueError);
}

TEST_CASE("groups are contiguous, nearly equal, and windows cut them", "[autograd]") {
  const Groups groups(11, 3);
  CHECK(groups.size(0) == 4);
  CHECK(groups.size(1) == 4);
  CHECK(groups.size(2) == 3);
  CHECK(groups.range(2).begin == 8);
  const Groups part = groups.micro_batch(3, 4);  // rows 3 to 6: one of group 0, three of group 1
  CHECK(part.range(0).size() == 1);
  CHECK(part.range(1).begin == 1);
  CHECK(part.range(1).size() == 3);
  CHECK(part.range(2).size() == 0);
  CHECK(part.size(2) == 3);  // still the size in the whole batch: it scales the loss
  CHECK_THROWS_AS(groups.micro_batch(8, 4), ValueError);
}

}  // namespace cograd::testing
