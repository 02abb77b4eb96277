#include <fmt/ranges.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/text.h"
#include "cograd/engine/threads.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/study.h"

namespace cograd {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::vector<Work> works_of(const Study& study) {
  std::vector<Work> works;
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const RunSettings& run = study.runs[i];
    Work work{label_of(run)};
    if (!study.over[i]) {
      work.examples = run.epochs * examples_per_epoch(run, study.data.train->size());
    }
    const auto cost = study.step_costs.find(work.kind);
    if (cost != study.step_costs.end()) {
      work.expected = cost->second.seconds / static_cast<double>(run.batch_size);
    }
    works.push_back(std::move(work));
  }
  return works;
}

std::string label_in_study(const Study& study, std::size_t i) {
  const RunSettings& run = study.runs[i];
  return fmt::format("{}, {} % noise{} ({}/{})", label_of(run), percent_text(run.corrupt_fraction),
                     study.options.seeds > 1 ? fmt::format(", seed {}", run.seed) : "", i + 1,
                     study.runs.size());
}

RunDirectory directory_of(const Study& study, std::size_t i, Progress& progress) {
  const RunSettings& run = study.runs[i];
  return {study.options.output_dir, directory_name_of(run), config_of(study, run),
          study.options.resume,
          [&progress](const std::string& text) { progress.note("note: " + text); }};
}

/// Leaves the run in its directory. All ranks of a team call it, and its leader writes.
void do_run(const Study& study, std::size_t i, Progress& progress) {
  const RunSettings& run = study.runs[i];
  Team& team = *study.team;
  std::unique_ptr<RunDirectory> directory;
  if (team.leads()) directory.reset(new RunDirectory(directory_of(study, i, progress)));
  const RunRecord record =
      train_run(run, study.data, *study.backend, directory.get(),
                RunDirectory::checkpoint_of(study.options.output_dir, directory_name_of(run)),
                progress, team);
  if (directory != nullptr) directory->finish(record);
}

/// Makes what the process of a crashed run has left that of a failed one.
void fail_run(const Study& study, std::size_t i, const std::string& reason) {
  const RunSettings& run = study.runs[i];
  const std::string name = directory_name_of(run);
  RunDirectory directory(study.options.output_dir, name, config_of(study, run), /*resume=*/true);
  RunRecord record{.settings = run, .folder = directory.folder(), .failure = reason};
  record.groups = parse_aggregator(run.aggregator)->groups(run.batch_size);
  directory.finish(record);
}

/// Every run by all ranks of the team.
void do_together(const Study& study, ProgressDisplay& display) {
  Team& team = *study.team;
  for (const std::size_t i : study.todo) {
    team.together(check_interruption);
    RunProgress progress(display, i, label_in_study(study, i));
    do_run(study, i, progress);
  }
  team.told(false);  // the leader has written all
  team.ranks().end_together();
}

/// Has the runs done: here, by workers, by the ranks of the job, or by all of its ranks together.
void do_runs(const Study& study, const Jobs& jobs, ProgressDisplay& display) {
  if (study.team->size() > 1) return do_together(study, display);
  const auto crashes = do_works(
      jobs, study.options.output_dir, study.todo, display,
      [&](std::size_t i) { return label_in_study(study, i); },
      [&](std::size_t i, Progress& progress) { do_run(study, i, progress); });
  for (const auto& [i, reason] : crashes) fail_run(study, i, reason);
}

/// All runs as they lie in the output folder; of a shard those that are there.
std::vector<RunRecord> records_of(const Study& study) {
  std::vector<RunRecord> records;
  const std::set<std::size_t> done(study.todo.begin(), study.todo.end());
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    std::optional<RunRecord> record = study.over.empty() ? std::nullopt : study.over[i];
    const RunSettings& run = study.runs[i];
    if (!record) record = run_in(study.options.output_dir, run, config_of(study, run));
    const bool elsewhere = !study.options.shard.whole() && !done.contains(i);
    require<IoError>(record || elsewhere, "[jobs] {} was not done: a rank failed; {}",
                     directory_name_of(run), how_to_resume(study.options));
    if (record) records.push_back(std::move(*record));
  }
  return records;
}

}  // namespace

std::vector<RunRecord> run_study(const Study& study) {
  if (study.jobs.serves(study.options.output_dir)) {
    serve(*study.jobs.worker,
          [&](std::size_t i, Progress& progress) { do_run(study, i, progress); });
  }
  if (!study.todo.empty()) {
    const Jobs jobs = choose_jobs(study);
    const InterruptionScope interruptible;
    const std::unique_ptr<std::FILE, CloseFile> nowhere(
        study.team->leads() ? nullptr : std::fopen("/dev/null", "w"));
    ProgressDisplay display(works_of(study), nowhere != nullptr ? nowhere.get() : stderr);
    try {
      do_runs(study, jobs, display);
    } catch (const Interrupted& interruption) {
      if (study.team->size() > 1) study.team->ranks().end_together();
      throw Interrupted(interruption.signal(), fmt::format("stopped {}; {}", interruption.what(),
                                                           how_to_resume(study.options)));
    }
  }
  if (!study.team->leads()) return {};
  return records_of(study);
}

bool makes_report(const Study& study) {
  const Shard& shard = study.options.shard;
  if (!shard.whole() && study.jobs.rank == 0) {
    show(stdout, fmt::format("shard {} of {} is done; when all are, the same command with --resume "
                             "and without --shard makes the report, or report {} of all folders\n",
                             shard.index, shard.count, printable(study.options.output_dir)));
  }
  return shard.whole() && study.jobs.rank == 0;
}

void check_all_finished(const std::vector<RunRecord>& records) {
  std::vector<std::string> failed;
  for (const RunRecord& record : records) {
    if (record.finished()) continue;
    failed.push_back(
        fmt::format("{}: {}", printable(record.folder.filename().native()), record.failure));
  }
  require<RunsFailed>(failed.empty(),
                      "{} of {} runs failed; --resume keeps them so, with --retry-failed they are "
                      "tried again: {}",
                      failed.size(), records.size(), fmt::join(failed, "; "));
}

}  // namespace cograd
