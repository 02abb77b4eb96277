// The program predict, as its users call it.
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "cograd/data/image_file.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/models/state_dict.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int status = -1;
  std::string text;  // of both streams
};

/// A folder with weights of a VGG, with and without a card, and an image.
struct Fixture {
  TemporaryFolder folder;
  ModelCard card{.model = "vgg13_bn",
                 .options = {.image = {3, 32, 32}, .classes = 3, .width = 1, .seed = 4},
                 .transform = imagenet_transform(32, false),
                 .class_names = {"cat", "dog", "c\xE4t"}};
  Safetensors weights;

  Fixture() {
    const auto model = make_model(card.model, card.options);
    for (const NamedTensor& entry : model->state()) {
      weights.tensors.emplace_back(entry.name, entry.tensor->clone());
    }
    write("plain");
    weights.metadata = to_metadata(card);
    write("carded");
    weights.metadata.clear();
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < 3 * 40 * 36; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 7));
    const auto png = encode_png({40, 36}, pixels);
    write_file(folder.path / "image.png", {reinterpret_cast<const char*>(png.data()), png.size()});
  }

  void write(const std::string& name) const { write_safetensors(folder.path / name, weights); }
  Tensor& tensor(const std::string& name) {
    const auto found = std::find_if(weights.tensors.begin(), weights.tensors.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    REQUIRE(found != weights.tensors.end());
    return found->second;
  }
  Outcome run(const std::string& arguments) const {
    const std::string command = fmt::format("cd '{}' && OMP_NUM_THREADS=1 timeout 60 '{}' {} 2>&1",
                                            folder.path.native(), COGRAD_PREDICT, arguments);
    Outcome outcome;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) outcome.text += static_cast<char>(c);
    const int status = ::pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    return outcome;
  }
  /// That it says this in one line, and predicts nothing.
  void refuses(const std::string& arguments, const std::vector<std::string>& reasons,
               int expected_status = 1) const {
    const Outcome outcome = run(arguments);
    CAPTURE(arguments, outcome.text);
    CHECK(outcome.status == expected_status);
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
    for (const std::string& reason : reasons) CHECK_THAT(outcome.text, contains(reason));
    CHECK(outcome.text.find(" %") == std::string::npos);
  }
};

constexpr const char* kDescribed = " --model vgg13_bn --width 1 --image-size 32 image.png ";

}  // namespace

TEST_CASE("predict: the same classes from any file with the same weights", "[predict]") {
  Fixture f;
  const Outcome usual = f.run("--weights carded image.png");
  CAPTURE(usual.text);
  REQUIRE(usual.status == 0);
  CHECK_THAT(usual.text,
             contains("image.png\n") && contains("%  cat\n") && contains("%  c\\xe4t\n"));
  write_file(f.folder.path / "labels", "cat\r\ndog\r\nc\xE4t\r\n");
  const std::string described = std::string(kDescribed) + "--labels labels ";
  CHECK(f.run("--weights plain" + described).text == usual.text);
  CHECK(f.run("--weights carded --labels labels image.png").text == usual.text);
  CHECK(f.run("--weights carded --model vgg13_bn image.png").text == usual.text);

  // The first of the three dense layers last, and as PyTorch's users have them.
  std::reverse(f.weights.tensors.begin(), f.weights.tensors.end());
  std::stable_sort(f.weights.tensors.begin(), f.weights.tensors.end(),
                   [](const auto& a, const auto& b) {
                     return (a.first == "classifier.0.weight") < (b.first == "classifier.0.weight");
                   });
  for (auto& [name, tensor] : f.weights.tensors) {
    name = "module." + name;
    if (tensor.dtype() == Dtype::f32) tensor = tensor.to(Dtype::f64);
  }
  std::erase_if(f.weights.tensors,
                [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
  f.write("other");
  CHECK(f.run("--weights other" + described).text == usual.text);
}

TEST_CASE("predict: numbers that are no numbers are refused", "[predict]") {
  Fixture f;
  for (const std::string flag :
       {"--std 0,0,0", "--std 0.2,0.2,0", "--std 0.2,0.2,-0.2", "--std nan,1,1", "--std inf,1,1",
        "--std 58.395,57.12,57.375", "--deviation 0,0,0", "--mean 123.675,116.28,103.53",
        "--mean nan,0,0", "--mean=-0.5,0,0", "--mean 0.5", "--image-size 1000000"}) {
    f.refuses(
        "--weights plain " + flag + kDescribed,
        {flag.starts_with("--std") || flag.starts_with("--dev") ? "--std" : flag.substr(0, 6)}, 2);
  }
  Tensor& tensor = f.tensor("features.0.weight");
  const Tensor before = tensor.clone();
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16}) {
      auto values = before.to_vector<float>();
      values[1] = static_cast<float>(value);
      tensor = Tensor::from(values, before.shape(), reference_backend()).to(dtype);
      f.write("bad");
      f.refuses(std::string("--weights bad") + kDescribed,
                {"bad", "features.0.weight", "expected finite"});
    }
  }
  auto values = before.to(Dtype::f64).to_vector<double>();
  values[1] = 1e300;
  tensor = Tensor::from(values, before.shape(), reference_backend());
  f.write("bad");
  f.refuses(std::string("--weights bad") + kDescribed, {"features.0.weight", "1e+300"});
  // Each is finite, but not what they make.
  tensor = before;
  f.tensor("features.1.running_var") =
      Tensor::full(f.tensor("features.1.running_var").shape(), -1, Dtype::f32, reference_backend());
  f.write("bad");
  f.refuses(std::string("--weights bad") + kDescribed, {"image.png", "output for class 0"});
}

TEST_CASE("predict: what does not belong together is refused", "[predict]") {
  Fixture f;
  f.refuses("--weights plain image.png", {"plain", "give --model"});
  f.refuses("--weights carded --model resnet18 image.png", {"--model resnet18", "vgg13_bn"}, 2);
  f.refuses("--weights carded --image-size 64 image.png", {"--image-size", "carded"}, 2);
  f.refuses("--weights plain --model resnet18 --image-size 32 image.png", {"plain", "fc.weight"});
  f.refuses("--weights plain --model vgg13_bn --image-size 32 image.png", {"plain", "numbers"});
  f.refuses("--weights plain --model vgg16_bn --width 1 --image-size 32 image.png",
            {"there is no tensor"});
  f.refuses("--weights plain --model vgg13bn image.png", {"did you mean vgg13_bn?"}, 2);
  write_file(f.folder.path / "labels", "cat\nwolf\nc\xE4t\n");
  f.refuses("--weights carded --labels labels image.png", {"class 1 'wolf'", "'dog'"});
  write_file(f.folder.path / "labels", "cat\nwolf\n");
  f.refuses("--weights carded --labels labels image.png", {"2 lines", "3 classes"});
}

TEST_CASE("predict: files of other kinds are refused by name", "[predict]") {
  using namespace std::string_literals;
  const Fixture f;
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"PK\3\4\0\0\0\0\0\0archive/data.pkl"s, "zip archive"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n", "Git LFS"},
      {"<!DOCTYPE html><html></html>", "web page"},
      {"", "empty"}};
  for (const auto& [bytes, kind] : kinds) {
    write_file(f.folder.path / "other", bytes);
    f.refuses(std::string("--weights other") + kDescribed, {"other", kind, "expected safetensors"});
    f.refuses("--weights carded other", {"other", kind, "neither a JPEG nor a PNG"});
  }
  REQUIRE(::mkfifo((f.folder.path / "pipe").c_str(), 0600) == 0);
  for (const auto& [file, kind] : {std::pair{"pipe", "a pipe"},
                                   {".", "a folder"},
                                   {"/dev/zero", "a device"},
                                   {"none", "No such file"}}) {
    f.refuses(fmt::format("--weights {} image.png", file), {kind});
    f.refuses(fmt::format("--weights carded {}", file), {kind});
    f.refuses(fmt::format("--weights carded image.png --labels {}", file), {kind});
  }
}

TEST_CASE("predict: a card that lies ends in one line", "[predict]") {
  Fixture f;
  const auto with = [&](const std::string& from, const std::string& to) {
    f.weights.metadata = to_metadata(f.card);
    std::string& text = f.weights.metadata.at("cograd_model");
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    f.write("lie");
  };
  for (const auto& [from, to] : {std::pair{R"("classes":3)", R"("classes":1000000000000)"},
                                 {R"("classes":3)", R"("classes":2000000000)"},
                                 {R"("width":1)", R"("width":2000000000)"},
                                 {R"("width":1)", R"("width":0)"},
                                 {R"([3,32,32])", R"([3,1000000,1000000])"},
                                 {R"("resize":32)", R"("resize":2000000000)"},
                                 {R"("vgg13_bn")", R"("\u001b[31m\nmlp")"},
                                 {R"("vgg13_bn")", R"("mlp")"},
                                 {R"("cat",)", R"()"}}) {
    with(from, to);
    f.refuses("--weights lie image.png", {"lie"});
  }
  with(R"("cat")", R"("\u001b[31m<b>\n")");
  const Outcome outcome = f.run("--weights lie image.png");
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.text, contains("\\x1b[31m<b>\\x0a\n"));
}

}  // namespace cograd::testing
