#include "bench/report.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace cograd::bench {
namespace {

bool any_failed = false;
const char* help_text = nullptr;

void print_help() {
  if (help_text != nullptr) std::fputs(help_text, stdout);
  std::fputs("\nGoogle Benchmark's own options:\n", stdout);
  benchmark::PrintDefaultHelp();
}

/// The reporter that the command line asks for, with another view of some numbers.
class Reporter final : public benchmark::BenchmarkReporter {
 public:
  Reporter() : shown_(benchmark::CreateDefaultDisplayReporter()) {}

  bool ReportContext(const Context& context) override {
    // Debian builds Google Benchmark without NDEBUG, about which it warns. Its asserts lie outside
    // the timed loop, which is inline and compiled with our flags.
    std::ostringstream said;
    shown_->SetErrorStream(&said);
    const bool proceeds = shown_->ReportContext(context);
    shown_->SetErrorStream(&std::cerr);
    std::istringstream lines(said.str());
    for (std::string line; std::getline(lines, line);) {
      if (line.find("Library was built as DEBUG") == std::string::npos) std::cerr << line << '\n';
    }
    std::cerr.flush();
    return proceeds;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    // The console alone adds units: "0.38/s", "5.77m/s".
    if (dynamic_cast<benchmark::ConsoleReporter*>(shown_.get()) == nullptr) {
      return shown_->ReportRuns(runs);
    }
    std::vector<Run> changed = runs;
    for (Run& run : changed) {
      benchmark::UserCounters kept;
      for (const auto& [name, counter] : run.counters) {
        if (!name.ends_with("_share")) {
          kept[name] = counter;
          continue;
        }
        const std::string text = fmt::format("{}={:.3f}", name, counter.value);
        run.report_label += (run.report_label.empty() ? "" : " ") + text;
      }
      run.counters = std::move(kept);
    }
    shown_->ReportRuns(changed);
  }

  void Finalize() override { shown_->Finalize(); }

 private:
  std::unique_ptr<benchmark::BenchmarkReporter> shown_;
};

}  // namespace

void fail(benchmark::State& state, const std::string& why) {
  any_failed = true;
  state.SkipWithError(why.c_str());
}

int run_all(int argc, char** argv, const char* help) {
  help_text = help;
  benchmark::Initialize(&argc, argv, print_help);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  Reporter reporter;
  const std::size_t found = benchmark::RunSpecifiedBenchmarks(&reporter);
  return found == 0 || any_failed ? 1 : 0;
}

}  // namespace cograd::bench
