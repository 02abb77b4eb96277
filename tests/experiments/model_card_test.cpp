// What weights say about themselves, which others may have written, and files of labels.
#include "cograd/experiments/record/model_card.h"

#include <nlohmann/json.hpp>

#include "cograd/engine/backend.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/labels_file.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

using Json = nlohmann::json;

ModelCard usual_card() {
  return {.model = "resnet18_cifar",
          .options = {.image = {3, 8, 8}, .classes = 4, .width = 2},
          .transform = imagenet_transform(8, false),
          .class_names = {"cat", "dog", "c\xE4t", "a\nb"}};
}

Safetensors weights_of(const ModelCard& card) {
  Safetensors weights;
  weights.metadata = to_metadata(card);
  const auto model = make_model(card.model, card.options);
  for (const NamedTensor& entry : model->state()) {
    weights.tensors.emplace_back(entry.name, *entry.tensor);
  }
  return weights;
}

ModelCard parse_with(const std::string& key, const Json& value) {
  Json json = Json::parse(to_metadata(usual_card()).at("cograd_model"));
  if (value.is_discarded()) {
    json.erase(key);
  } else {
    json[key] = value;
  }
  return parse_card({{"cograd_model", json.dump()}}, "FILE");
}

}  // namespace

TEST_CASE("a model card comes back, with names of any bytes as text", "[card]") {
  const ModelCard card = parse_card(to_metadata(usual_card()), "FILE");
  CHECK(card.model == "resnet18_cifar");
  CHECK(card.options.image == Shape{3, 8, 8});
  CHECK(card.options.classes == 4);
  CHECK(card.options.width == 2);
  CHECK(card.transform.crop == 8);
  CHECK(card.transform.statistics.mean == kImageNetStatistics.mean);
  CHECK(card.class_names == std::vector<std::string>{"cat", "dog", "c\\xe4t", "a\\x0ab"});
}

namespace {

/// Values that each field must not have.
std::map<std::string, std::vector<Json>> bad_values() {
  const Json gone(Json::value_t::discarded), deep = Json::parse(R"([[[[[1]]]]])");
  const std::vector<Json> never{gone, nullptr, true, -1, 1e300, "\x1b[31m", Json::object(), deep};
  std::map<std::string, std::vector<Json>> bad;
  for (const char* key :
       {"model", "image", "classes", "width", "resize", "mean", "deviation", "class_names"}) {
    bad[key] = never;
  }
  const auto more = [&](const std::string& key, const std::vector<Json>& values) {
    bad[key].insert(bad[key].end(), values.begin(), values.end());
  };
  more("model", {"resnet17", ""});
  more("image", {{3, 8},
                 {3, 8, 9},
                 {2, 8, 8},
                 {0, 8, 8},
                 {3, 0, 0},
                 {3, 1000000, 1000000},
                 {3, 8.5, 8.5},
                 {3, -8, -8},
                 {3, 8, 8, 8},
                 Json::array(),
                 {3, 18446744073709551615u, 18446744073709551615u}});
  more("classes", {0, 3, 5, 2.5, 1000000000000, 9223372036854775808u, 18446744073709551615u});
  more("width", {2.5, 1000000000000, 18446744073709551615u});
  more("resize", {0, 7, 33, 8.5, 1000000000});
  for (const char* key : {"mean", "deviation"}) {
    more(key, {{0.5},
               {0.5, 0.5, 0.5, 0.5},
               {0.5, 0.5, -0.5},
               {123.675, 116.28, 103.53},
               {0.5, 0.5, 1e39},
               {0.5, 0.5, nullptr},
               {0.5, 0.5, "0.5"},
               Json::array()});
  }
  more("deviation", {{0, 0, 0}, {0.5, 0.0, 0.5}, {58.395, 57.12, 57.375}});
  more("class_names", {{"a"}, {"a", "b", "c", "d", "e"}, {"a", "b", "c", 4}});
  return bad;
}

}  // namespace

TEST_CASE("every field of a model card is checked", "[card]") {
  for (const auto& [key, values] : bad_values()) {
    for (const Json& value : values) {
      CAPTURE(key, value.is_discarded() ? "none" : value.dump());
      try {
        parse_with(key, value);
        FAIL("accepted");
      } catch (const FormatError& error) {
        CHECK_THAT(error.what(), contains("FILE") && contains("damaged description"));
        CHECK(std::string(error.what()).size() < 300);
        CHECK(std::string(error.what()).find('\x1b') == std::string::npos);
      }
    }
  }
  CHECK(parse_with("class_names", Json::array()).class_names.empty());
  CHECK(parse_with("deviation", {1, 1, 1}).options.classes == 4);
  for (const std::string text : {"", "[]", "{", "null", "\"\xff\""}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_card({{"cograd_model", text}}, "FILE"), FormatError);
  }
  const std::string nested = "{\"model\":" + std::string(100'000, '[') + std::string(100'000, ']');
  CHECK_THROWS_AS(parse_card({{"cograd_model", nested + "}"}}, "FILE"), FormatError);
  CHECK_THROWS_WITH(parse_card({}, "FILE"), contains("give --model"));
}

TEST_CASE("a card that does not fit its weights is refused before a model is made", "[card]") {
  const Safetensors weights = weights_of(usual_card());
  CHECK_NOTHROW(require_fitting(usual_card(), weights, "FILE"));
  const auto refused = [&](const auto& change, const std::string& reason) {
    ModelCard card = usual_card();
    change(card);
    CHECK_THROWS_AS(require_fitting(card, weights, "FILE"), FormatError);
    CHECK_THROWS_WITH(require_fitting(card, weights, "FILE"), contains("FILE") && contains(reason));
  };
  refused([](ModelCard& c) { c.options.classes = 1'000'000'000'000; }, "4 classes");
  refused([](ModelCard& c) { c.options.width = 1'000'000'000; }, "numbers");
  refused([](ModelCard& c) { c.options.width = 0; }, "numbers");
  refused(
      [](ModelCard& c) {
        c.model = "vgg16_bn", c.options.image = {3, 32, 32};
      },
      "classifier.6.weight");
  const ModelCard mlp{.model = "mlp",
                      .options = {.image = {1, 4, 4}, .classes = 3, .width = 2},
                      .transform = {},
                      .class_names = {}};
  Safetensors small = weights_of(mlp);
  CHECK_NOTHROW(require_fitting(mlp, small, "FILE"));
  ModelCard large = mlp;
  large.options.image = {3, kLargestImage, kLargestImage};
  CHECK_THROWS_WITH(require_fitting(large, small, "FILE"), contains("too few"));
  // A classifier without features allows no number of classes.
  for (auto& [name, tensor] : small.tensors) {
    if (name == "fc4.weight") {
      tensor = Tensor::empty({1'000'000'000'000, 0}, Dtype::f32, reference_backend());
    }
  }
  CHECK_THROWS_WITH(require_fitting(mlp, small, "FILE"), contains("fc4.weight"));
}

TEST_CASE("how many numbers a model holds is known without it", "[card]") {
  for (const std::string& name : model_names()) {
    for (const std::int64_t width : {4, 7, 16}) {
      CAPTURE(name, width);
      const ModelOptions options{.image = {3, 40, 40}, .classes = 11, .width = width};
      double exact = 0.0;
      const auto model = make_model(name, options);
      for (const NamedTensor& entry : model->state()) {
        exact += static_cast<double>(entry.tensor->numel());
      }
      const double about = about_elements(name, options);
      CHECK(about >= exact);
      CHECK(about <= 1.3 * exact);
      if (!name.starts_with("inception")) CHECK(about == exact);
    }
    CHECK(classifier_of(name).ends_with(".weight"));
  }
  CHECK(classifier_of("resnet50") == "fc.weight");
  CHECK(classifier_of("vgg13_bn") == "classifier.6.weight");
  CHECK(classifier_of("mlp") == "fc4.weight");
  // torchvision's, with its batch norm's statistics and counts.
  CHECK(about_elements("resnet18", {.image = {3, 224, 224}, .classes = 1000}) ==
        11'689'512 + 9'600 + 20);
}

TEST_CASE("files of labels, from any editor", "[card]") {
  using namespace std::string_literals;
  const TemporaryFolder folder;
  const auto file = folder.path / "labels.txt";
  const auto read = [&](const std::string& bytes, std::int64_t classes) {
    write_file(file, bytes);
    return read_labels(file, classes);
  };
  const std::vector<std::string> two{"cat", "great dane"};
  for (const std::string& bytes :
       {"cat\ngreat dane"s, "cat\ngreat dane\n"s, "cat\r\ngreat dane\r\n"s,
        "cat\ngreat dane\n\n \t\n"s, "\xEF\xBB\xBF"s + "cat\ngreat dane\n",
        "\xFF\xFE"s + "c\0a\0t\0\r\0\n\0g\0r\0e\0a\0t\0 \0d\0a\0n\0e\0"s,
        "\xFE\xFF"s + "\0c\0a\0t\0\n\0g\0r\0e\0a\0t\0 \0d\0a\0n\0e\0\n"s}) {
    CAPTURE(bytes);
    CHECK(read(bytes, 2) == two);
  }
  CHECK(read("k\xE4se\nb\n", 2)[0] == "k\xE4se");
  CHECK_THROWS_WITH(read("a\nb\nc\n", 2),
                    contains("labels.txt has 3 lines") && contains("each of 2 classes"));
  CHECK_THROWS_WITH(read("a\n\nb\n", 3), contains("line 2 of 3 is blank"));
  CHECK_THROWS_WITH(read("", 2), contains("it is empty"));
  CHECK_THROWS_WITH(read("{\"0\": [\"n01440764\", \"tench\"]}", 1000), contains("it is JSON"));
  CHECK_THROWS_WITH(read("PK\3\4\0\0\0"s, 2), contains("zero bytes"));
  CHECK_THROWS_AS(read_labels(folder.path, 2), IoError);

  CHECK_NOTHROW(require_same_names(two, file, {}, "W"));
  CHECK_NOTHROW(require_same_names({"c\xE4t"}, file, {"c\\xe4t"}, "W"));
  CHECK_THROWS_WITH(require_same_names(two, file, {"cat", "dog"}, "W"),
                    contains("calls class 1 'great dane', but W calls it 'dog'"));
}

}  // namespace cograd::testing
