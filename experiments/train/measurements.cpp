#include "cograd/experiments/train/measurements.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cograd/data/data_identity.h"
#include "cograd/data/index_file.h"
#include "cograd/data/subset.h"
#include "cograd/experiments/train/diverged.h"
#include "cograd/experiments/train/noise.h"

namespace cograd {

std::function<void(const std::string&)> skip_broken(const StudyData& data) {
  if (!data.skip_broken_images) return {};
  return [notes = data.image_notes](const std::string& message) { notes->skipped(message); };
}

Measurements::Measurements(const RunSettings& settings, const StudyData& data,
                           const std::shared_ptr<CorruptedLabels>& train,
                           std::int64_t steps_per_epoch, Backend& backend, RunDirectory* directory,
                           Team& team)
    : settings_(settings),
      data_(data),
      train_(train),
      steps_per_epoch_(steps_per_epoch),
      backend_(backend),
      directory_(directory),
      team_(team),
      samples_(choose_samples(*train, settings.seed)),
      evaluate_train_(std::make_shared<Subset>(train, samples_.evaluated), backend,
                      settings.workers, skip_broken(data), &team),
      evaluate_test_(data.test, backend, settings.workers, skip_broken(data), &team),
      order_(samples_.evaluated.size()),
      pristine_coherence_(train, samples_.indices_of(samples_.pristine), settings.seed, backend,
                          skip_broken(data)),
      corrupt_coherence_(train, samples_.indices_of(samples_.corrupt), settings.seed, backend,
                         skip_broken(data)) {
  if (data.validation != nullptr) {
    evaluate_validation_.emplace(noisy(data.validation, settings, data, NoisePart::validation),
                                 backend, settings.workers, skip_broken(data), &team);
  }
  for (const auto& [name, set] : data.further_tests) {
    evaluate_further_.emplace(name,
                              Evaluator(set, backend, settings.workers, skip_broken(data), &team));
  }
}

void Measurements::after_step(Module& model, std::int64_t epoch, std::int64_t step) {
  if (epoch > 1 || step == 0 || step >= steps_per_epoch_ || !LearningOrder::wants(step)) return;
  order_.observe(step, evaluate_train_(model, settings_.precision));
}

void Measurements::after_epoch(Module& model, std::int64_t epoch) {
  const EpochRecord record = evaluate(model, epoch);
  check(record);
  order_.observe(epoch * steps_per_epoch_, results_);
  if (epoch == LearningOrder::early_epoch(settings_.epochs)) order_.score(results_);
  if (epoch > 0) order_.add_margins(results_);
  team_.together([&] {
    if (directory_ == nullptr) return;
    write_coherence(model, epoch, "pristine", pristine_coherence_);
    write_coherence(model, epoch, "corrupt", corrupt_coherence_);
    directory_->evaluation(record);
    write_events(record);
  });
}

void Measurements::after_training(Module& model) {
  write_learned_examples(model);
  if (directory_ != nullptr) write_difficulty();
}

EpochRecord Measurements::evaluate(Module& model, std::int64_t epoch) {
  EpochRecord record;
  record.epoch = epoch;
  results_ = evaluate_train_(model, settings_.precision);
  record.pristine = summarize(results_, samples_.pristine);
  record.corrupt = summarize(results_, samples_.corrupt);
  record.train_sample = summarize(results_, samples_.all);
  record.test = summarize(evaluate_test_(model, settings_.precision));
  if (evaluate_validation_) {
    record.validation = summarize((*evaluate_validation_)(model, settings_.precision));
  }
  for (auto& [name, evaluator] : evaluate_further_) {
    record.further[name] = summarize(evaluator(model, settings_.precision));
  }
  return record;
}

void Measurements::check(const EpochRecord& record) const {
  require<ImageError>(record.test.count > 0 && record.train_sample.count > 0,
                      "[trainer] no image of {} can be read",
                      (record.test.count > 0 ? data_.train : data_.test)->name());
  for (const Evaluation& e : {record.train_sample, record.test}) {
    if (std::isfinite(e.loss)) continue;
    throw Diverged(record.epoch, record.epoch > 0 ? steps_per_epoch_ : 0,
                   fmt::format("[trainer] the loss after epoch {} is not finite ({}): try a "
                               "smaller --lr",
                               record.epoch, label_of(settings_)));
  }
}

void Measurements::write_events(const EpochRecord& record) {
  const auto write = [&](const std::string& name, const Evaluation& e) {
    if (e.count == 0) return;
    directory_->events().scalar("loss/" + name, record.epoch * steps_per_epoch_, e.loss);
    directory_->events().scalar("accuracy/" + name, record.epoch * steps_per_epoch_, e.acc1);
  };
  write("pristine", record.pristine);
  write("corrupt", record.corrupt);
  write("train_sample", record.train_sample);
  write("test", record.test);
  write("validation", record.validation);
  for (const auto& [name, evaluation] : record.further) write(name, evaluation);
}

void Measurements::write_coherence(Module& model, std::int64_t epoch, const char* kind,
                                   const ExampleCoherence& examples) {
  for (const ObservedGradient& gradient : examples.measure(model, settings_.precision)) {
    const CoherenceEntry entry{gradient.name, gradient.norms.coherence(), gradient.mean()};
    directory_->example_coherence(epoch, kind, entry, gradient.alpha());
  }
}

void Measurements::write_learned_examples(Module& model) {
  std::vector<std::int64_t> indices = samples_.evaluated;
  if (std::ssize(results_) != train_->size()) {  // a sample, or none since a resumption
    indices.resize(static_cast<std::size_t>(train_->size()));
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
    Evaluator evaluate_all(train_, backend_, settings_.workers, skip_broken(data_), &team_);
    results_ = evaluate_all(model, settings_.precision);
  }
  std::vector<std::int64_t> learned, not_learned;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (!results_[i].was_read()) {
      ++skipped_;
      continue;
    }
    (results_[i].rank == 0 ? learned : not_learned).push_back(train_->whole_index(indices[i]));
  }
  if (directory_ == nullptr) return;
  std::sort(learned.begin(), learned.end());
  std::sort(not_learned.begin(), not_learned.end());
  const std::string set = identity_of(train_->whole()).word();
  write_index_file(directory_->path("learned_examples.csv"), {learned, set});
  write_index_file(directory_->path("not_learned_examples.csv"), {not_learned, set});
}

void Measurements::write_difficulty() {
  std::vector<ExampleDifficulty> examples;
  for (std::size_t i = 0; i < samples_.evaluated.size(); ++i) {
    if (!order_.was_read(i)) continue;
    examples.push_back(order_.of(i, samples_.evaluated[i], *train_));
  }
  std::sort(examples.begin(), examples.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  directory_->difficulty(examples);
}

}  // namespace cograd
