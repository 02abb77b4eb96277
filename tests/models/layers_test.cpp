// Modules: names, modes, state, and the layers that keep state of their own.
#include "cograd/layers/layers.h"

#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"

namespace cograd::testing {

TEST_CASE("parameters carry their full dotted names", "[layers]") {
  Random random(41);
  Sequential net(std::make_shared<Linear>(4, 3, random),
                 std::make_shared<Sequential>(std::make_shared<Relu>(),
                                              std::make_shared<Linear>(3, 2, random, false)));
  std::vector<std::string> names;
  for (Parameter* p : net.parameters()) names.push_back(p->name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.1.weight"});
}

TEST_CASE("train and eval reach all children, dropout obeys", "[layers]") {
  Random random(42);
  auto inner = std::make_shared<Dropout>(0.5, 7);
  Sequential net(std::make_shared<Sequential>(inner));
  const Tensor ones = Tensor::full({8, 50}, 1.0, Dtype::f32, reference_backend());
  net.eval();
  CHECK(!inner->training());
  CHECK(net(Variable(ones)).value().to_vector<float>() == ones.to_vector<float>());
  net.train();
  const auto first = net(Variable(ones)).value().to_vector<float>();
  const auto second = net(Variable(ones)).value().to_vector<float>();
  CHECK(first != second);  // a new mask at every pass
  const auto zeros = std::count(first.begin(), first.end(), 0.0f);
  CHECK(zeros > 140);  // 200 of 400 expected, standard deviation 10
  CHECK(zeros < 260);
  CHECK(std::count(first.begin(), first.end(), 2.0f) == 400 - zeros);
  REQUIRE(net.counters().size() == 1);
  CHECK(net.counters()[0].name == "0.0.passes");
  *net.counters()[0].value = 0;  // a resumed run drops what the unbroken one did
  CHECK(net(Variable(ones)).value().to_vector<float>() == first);
}

TEST_CASE("batch norm keeps running statistics as if groups were batches", "[layers]") {
  Random random(43);
  const Tensor x = normal({6, 2, 3, 3}, random, reference_backend(), Dtype::f32, 2.0, 1.0);
  BatchNorm2d grouped(2), sequential(2);
  grouped(Variable(x, Groups(6, 3)));
  for (int g = 0; g < 3; ++g) sequential(Variable(x.rows(2 * g, 2 * g + 2)));
  const auto a = grouped.state(), b = sequential.state();
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].name);
    CHECK(relative_error(*a[i].tensor, *b[i].tensor) <= 1e-6);
  }
  CHECK(a.back().name == "num_batches_tracked");
  CHECK(a.back().tensor->item() == 3);
  grouped.eval();
  const auto before = a[2].tensor->to_vector<float>();
  grouped(Variable(x));
  CHECK(a[2].tensor->to_vector<float>() == before);  // evaluation changes nothing
}

TEST_CASE("initializers have the spread they promise and depend on the seed alone", "[layers]") {
  const auto deviation = [](const Tensor& t) {
    double sum = 0.0;
    for (float v : t.to_vector<float>()) sum += v * v;
    return std::sqrt(sum / static_cast<double>(t.numel()));
  };
  const Shape conv{64, 32, 3, 3}, matrix{200, 300};
  Random random(44);
  CHECK(init::fan_of(conv).in == 288);
  CHECK(init::fan_of(conv).out == 576);
  CHECK(deviation(init::kaiming_normal(conv, random)) ==
        Approx(std::sqrt(2.0 / 576)).epsilon(0.03));
  CHECK(deviation(init::xavier_normal(matrix, random)) ==
        Approx(std::sqrt(2.0 / 500)).epsilon(0.03));
  CHECK(deviation(init::xavier_uniform(matrix, random)) ==
        Approx(std::sqrt(2.0 / 500)).epsilon(0.03));
  CHECK(deviation(init::kaiming_uniform(matrix, 300, random)) ==
        Approx(1.0 / std::sqrt(900.0)).epsilon(0.03));
  const auto weights = [](std::uint64_t seed) {
    const auto model = make_model("mlp", {.width = 16, .seed = seed});
    return model->parameters()[0]->value.to_vector<float>();
  };
  CHECK(weights(1) == weights(1));
  CHECK(weights(1) != weights(2));
}

TEST_CASE("layers and models refuse senseless options", "[layers]") {
  Random random(45);
  CHECK_THROWS_AS(Linear(0, 3, random), ValueError);
  CHECK_THROWS_AS(Conv2d(3, 4, {.geometry = {.channel_groups = 2}}, random), ValueError);
  CHECK_THROWS_AS(Conv2d(3, 4, {.kernel = {0, 3}}, random), ValueError);
  CHECK_THROWS_AS(BatchNorm2d(3, {.eps = 0.0}), ValueError);
  CHECK_THROWS_AS(Dropout(1.0, 0), ValueError);
  CHECK_THROWS_WITH(make_model("resnet19", {}), contains("resnet19") && contains("resnet18_cifar"));
}

TEST_CASE("M3 of a ResNet in one backward equals three separate ones", "[layers]") {
  // Batch norm, shortcuts, striding: everything that could leak between groups.
  const auto model = make_model("resnet18_cifar", {.image = {3, 16, 16}, .width = 4, .seed = 5});
  for (Backend* backend : {&reference_backend(), &cpu_backend()}) {
    CAPTURE(backend->name());
    model->to(*backend);
    Random random(46);
    const Tensor x = normal({9, 3, 16, 16}, random, *backend, Dtype::f32);
    const Tensor labels =
        Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}, {9}, *backend);
    Mean mean;
    std::vector<std::vector<std::vector<double>>> separate;
    const auto gradients = [&] {
      std::vector<std::vector<double>> all;
      for (Parameter* p : model->parameters()) {
        all.push_back(p->gradient.to(Dtype::f64).to_vector<double>());
      }
      return all;
    };
    for (int g = 0; g < 3; ++g) {
      backward(cross_entropy((*model)(Variable(x.rows(3 * g, 3 * g + 3))),
                             labels.rows(3 * g, 3 * g + 3)),
               mean);
      separate.push_back(gradients());
    }
    MedianOfMeans m3(3);
    backward(cross_entropy((*model)(Variable(x, Groups(9, 3))), labels), m3);
    const auto grouped = gradients();
    const auto parameters = model->parameters();
    for (std::size_t p = 0; p < grouped.size(); ++p) {
      CAPTURE(parameters[p]->name);
      std::vector<double> median(grouped[p].size());
      for (std::size_t i = 0; i < median.size(); ++i) {
        const double a = separate[0][p][i], b = separate[1][p][i], c = separate[2][p][i];
        median[i] = std::max(std::min(a, b), std::min(std::max(a, b), c));
      }
      CHECK(relative_error(grouped[p], median) <= 1e-5);
    }
  }
}

}  // namespace cograd::testing
