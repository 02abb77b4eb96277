#include "cograd/experiments/report/page/runs_csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "cograd/experiments/record/csv.h"

namespace cograd {
namespace {

using Row = std::vector<std::string>;

constexpr const char* kColumns =
    "run,status,dataset,aggregator,groups,batch_size,corrupt_fraction,noise,learning_rate,momentum,"
    "weight_decay,optimizer,schedule,warmup,model,width,dropout,precision,seed,epochs,train_loss,"
    "train_acc1,"
    "pristine_loss,pristine_acc1,corrupt_loss,corrupt_acc1,test_loss,test_acc1,best_test_acc1,"
    "best_test_epoch,gap,seconds,training_seconds,skipped_images";

std::string number(double value) { return fmt::format("{:.6g}", value); }

/// The path of the run, relative to the report if it lies below.
std::string place_of(const RunRecord& run, const std::filesystem::path& folder) {
  if (run.folder.empty()) return directory_name_of(run.settings);
  const std::filesystem::path relative =
      run.folder.lexically_normal().lexically_relative((folder / "").lexically_normal());
  const bool inside = !relative.empty() && *relative.begin() != "..";
  return (inside ? relative : run.folder).string();
}

void add_evaluation(const Evaluation* e, Row& row) {
  const bool any = e != nullptr && e->count > 0;
  row.push_back(any ? number(e->loss) : "");
  row.push_back(any ? number(e->acc1) : "");
}

void add_results(const RunRecord& run, Row& row) {
  const EpochRecord* last = run.finished() && !run.epochs.empty() ? &run.last() : nullptr;
  for (const auto kind : {&EpochRecord::train_sample, &EpochRecord::pristine, &EpochRecord::corrupt,
                          &EpochRecord::test}) {
    add_evaluation(last != nullptr ? &(last->*kind) : nullptr, row);
  }
  const EpochRecord* best = last != nullptr ? &run.epochs.front() : nullptr;
  for (const EpochRecord& e : run.epochs) {
    if (best != nullptr && e.test.acc1 > best->test.acc1) best = &e;
  }
  const bool tested = last != nullptr && last->test.count > 0;
  row.push_back(tested ? number(best->test.acc1) : "");
  row.push_back(tested ? fmt::format("{}", best->epoch) : "");
  row.push_back(tested && last->train_sample.count > 0 ? number(last->gap()) : "");
}

}  // namespace

std::string runs_csv(const std::vector<RunRecord>& runs, const std::filesystem::path& folder,
                     const std::string& dataset) {
  std::set<std::string> further;
  for (const RunRecord& run : runs) {
    for (const EpochRecord& e : run.epochs) {
      for (const auto& [name, evaluation] : e.further) further.insert(name);
    }
  }
  std::string table = kColumns;
  for (const std::string& name : further) {
    for (const char* what : {"_loss", "_acc1"}) table += "," + csv_cell(name + what);
  }
  table += "\n";
  for (const RunRecord& run : runs) {
    const RunSettings& s = run.settings;
    Row row{csv_cell(place_of(run, folder)),
            run.finished() ? "finished" : csv_cell("failed: " + run.failure),
            csv_cell(s.data.empty() ? dataset : s.data),
            csv_cell(s.aggregator),
            fmt::format("{}", run.groups),
            fmt::format("{}", s.batch_size),
            number(s.corrupt_fraction),
            csv_cell(s.noise),
            number(s.learning_rate),
            number(s.momentum),
            number(s.weight_decay),
            csv_cell(s.optimizer),
            csv_cell(s.schedule),
            number(s.warmup),
            csv_cell(s.model),
            fmt::format("{}", s.width),
            s.dropout ? number(*s.dropout) : "",
            std::string(name_of(s.precision)),
            fmt::format("{}", s.seed),
            fmt::format("{}", s.epochs)};
    add_results(run, row);
    row.insert(row.end(), {number(run.seconds), number(run.training_seconds),
                           fmt::format("{}", run.skipped_images)});
    for (const std::string& name : further) {
      const bool any = run.finished() && !run.epochs.empty() && run.last().further.contains(name);
      add_evaluation(any ? &run.last().further.at(name) : nullptr, row);
    }
    table += fmt::format("{}\n", fmt::join(row, ","));
  }
  return table;
}

}  // namespace cograd
