#include "cograd/experiments/study/presets.h"

#include "cograd/experiments/console/command_line.h"

namespace cograd {
namespace {

/// The paper divides the learning rate of ResNets by ten after 30 and 60 epochs, and uses a cosine
/// for VGG and Inception. Other models use the ResNets' schedule.
std::string paper_schedule(const std::string& model) {
  return model.starts_with("vgg") || model.starts_with("inception") ? "cosine" : "step";
}

}  // namespace

StudyOptions label_noise_preset(const std::string& preset, const std::string& dataset,
                                const std::string& model) {
  StudyOptions options;
  options.preset = preset;
  options.output_dir = "runs/label_noise";
  options.corrupt_fractions = "0,0.5";
  // A median acts through its group size: m3 at batch 30 and rm3 at batch 10 both have groups of
  // ten, so the mean at batch 10 is what both are compared with first. The mean at batch 30 sees
  // M3's batches.
  options.aggregators = "mean@10,m3@30,rm3@10,ra3@10,mean@30";
  if (preset == "paper") {
    options.dataset = "imagenet";
    options.corrupt_fractions = "0,0.25,0.5,0.75,1";
    options.aggregators = "mean,m3,rm3,ra3";
    options.run.batch_size = 256;
    options.run.epochs = 90;
    options.run.model = "resnet18";
    options.run.schedule = paper_schedule(model);
    options.momentum_of_mean = 0.9;
    options.run.workers = 8;
  } else if (preset == "laptop") {
    options.train_size = 10000;
    options.corrupt_fractions = "0,0.25,0.5,0.75,1";
    options.run.epochs = 60;
  } else {
    options.train_size = 10000;
    options.test_size = 4000;
    options.run.epochs = 40;
    options.seeds = 3;
  }
  if (!dataset.empty()) options.dataset = dataset;
  if (!model.empty()) options.run.model = model;
  return options;
}

StudyOptions cgh_preset(const std::string& preset, const std::string& dataset,
                        const std::string& model) {
  StudyOptions options = label_noise_preset(preset, dataset, model);
  options.output_dir = "runs/cgh";
  options.corrupt_fractions = "0,0.5";
  if (preset == "laptop") options.seeds = 3;
  return options;
}

StudyOptions winsorize_preset(const std::string& preset, const std::string& dataset,
                              const std::string& model) {
  StudyOptions options;
  options.preset = preset;
  options.output_dir = "runs/winsorize";
  // The settings of the ICLR 2020 paper, which are small enough for every preset.
  options.aggregators = "mean,winsorized:1,winsorized:2,winsorized:4,winsorized:8";
  options.run.model = "mlp_iclr2020";
  options.run.batch_size = 100;
  options.learning_rates = "0.1";
  options.corrupt_fractions = "0,0.25,0.5,0.75,1";
  if (preset == "paper") {
    options.dataset = "mnist";
    options.run.epochs = 50;
  } else if (preset == "laptop") {
    options.train_size = 10000;
    options.run.epochs = 30;
  } else {
    options.train_size = 4000;
    options.test_size = 2000;
    options.run.epochs = 40;
    options.corrupt_fractions = "0.5";
  }
  if (!dataset.empty()) options.dataset = dataset;
  if (!model.empty()) options.run.model = model;
  return options;
}

EasyHardOptions easy_hard_preset(const std::string& preset, const std::string& dataset,
                                 const std::string& model) {
  EasyHardOptions options;
  StudyOptions& study = options.study;
  study.preset = preset;
  study.output_dir = "runs/easy_hard";
  study.momentum_of_mean = 0.9;
  if (preset == "paper") {  // without weight decay, as the authors' README says
    study.dataset = "imagenet";
    study.run.model = "resnet18";
    study.run.batch_size = 256;
    study.run.weight_decay = 0.0;
    study.learning_rates = "0.1";
    study.run.epochs = 90;
    study.run.schedule = paper_schedule(model);
    study.run.workers = 8;
    options.split_train = 500000;
    options.split_test = 100000;
  } else if (preset == "laptop") {
    study.dataset = "cifar10";
    study.train_size = 25000;
    study.run.model = "resnet18";
    study.run.width = 16;
    study.seeds = 3;
    study.run.batch_size = 100;
    study.learning_rates = "0.05";
    study.run.epochs = 15;
    study.run.schedule = "cosine";
  } else {
    // Small steps, so that the scout learns only a part.
    study.train_size = 4000;
    study.test_size = 4000;
    study.run.batch_size = 100;
    study.learning_rates = "0.002";
    study.run.epochs = 60;
    study.seeds = 3;
    options.scout_epochs = 4;
    options.controls = true;
  }
  if (!dataset.empty()) study.dataset = dataset;
  if (!model.empty()) study.run.model = model;
  return options;
}

namespace {

void add_flags(CLI::App& app, EasyHardOptions& options) {
  app.add_option("--scout-epochs", options.scout_epochs,
                 "Epochs after which an example counts as easy if it is learned")
      ->check(at_least(1));
  app.add_option("--split-train", options.split_train,
                 "Examples of either side to train on; 0: what the lesser side has")
      ->check(at_least(0));
  app.add_option("--split-test", options.split_test,
                 "Examples of either side to test on; 0: a sixth of the lesser side")
      ->check(at_least(0));
  app.add_flag("--controls,!--no-controls", options.controls,
               "Train on as many random examples, and on easy and hard examples of equal classes, "
               "too; the quick preset does")
      ->default_str(options.controls ? "true" : "false");
}

}  // namespace

EasyHardOptions parse_easy_hard_options(int argc, const char* const* argv,
                                        std::string_view description) {
  return parse_options_of(argc, argv, description, easy_hard_preset, add_flags);
}

}  // namespace cograd
