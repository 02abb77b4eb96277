// report.html: one self-contained page.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/page/figure.h"
#include "cograd/experiments/report/page/gallery.h"

namespace cograd {

/// Figures under one heading.
struct FigureGroup {
  std::string heading;
  std::vector<Figure> figures;
  std::string note{};  ///< below the heading: which runs failed
  std::string text{};  ///< how to read them; may be empty
};

struct Table {
  std::string heading;
  std::string text{};               ///< how to read it; may be empty
  std::vector<std::string> header;  ///< the first column is text, the others are numbers
  /// A row that is shorter than the header belongs to a failed run; its last cell spans the rest.
  std::vector<std::vector<std::string>> rows{};
};

/// The content of a page: plain text of any bytes.
struct Report {
  std::string title;
  std::string lead;      ///< the question of the study, in a paragraph
  std::string answer{};  ///< what was found, in a sentence or two, from the numbers
  /// What the numbers belong to, in short: command, data, model, seeds.
  std::vector<std::pair<std::string, std::string>> identity;
  bool has_claims = true;  ///< false: the study makes none
  std::vector<Claim> claims;
  std::vector<FigureGroup> figures;
  std::string reading;  ///< how to read figures and table; empty: there are no figures
  std::vector<Table> tables;
  std::vector<Gallery> galleries;
  std::vector<std::pair<std::string, std::string>> facts;  ///< the rest: machine, time
  std::string dataset{};                                   ///< for runs.csv
  std::vector<RunRecord> runs{};  ///< all runs: for runs.csv and the list of failures
};

/// The page as HTML. `drawings` holds the SVGs of the figures, group by group; if they could not be
/// drawn it is empty, and `missing` is the reason.
std::string report_html(const Report& report, const std::vector<std::string>& drawings,
                        const std::string& missing);

/// Draws the figures and writes folder/report.html, each figure as an SVG file next to it,
/// claims.json and runs.csv. Returns an empty string, or why there are no figures. Throws IoError
/// if something cannot be written.
std::string write_report(const Report& report, const std::filesystem::path& folder);

/// Calls write_report() and prints the claims, the failed runs and the path of the page.
void publish(const Report& report, const std::filesystem::path& folder);

}  // namespace cograd
