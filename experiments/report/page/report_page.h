// report.html: one self-contained page.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "experiments/record/run_record.h"
#include "experiments/report/page/claims.h"
#include "experiments/report/page/figure.h"
#include "experiments/report/page/gallery.h"

namespace cograd {

/// Figures that stand side by side under one heading.
struct FigureGroup {
  std::string heading;
  std::vector<Figure> figures;
  std::string note{};  ///< below the heading: which runs failed
};

struct Table {
  std::string heading;
  std::string text{};               ///< how to read it; may be empty
  std::vector<std::string> header;  ///< the first column is text, the others are numbers
  /// One shorter than the header says something of a failed run in its last cell.
  std::vector<std::vector<std::string>> rows{};
};

/// What a page says; all plain text, of any bytes.
struct Report {
  std::string title;
  std::string lead;  ///< what the study asks, in a paragraph
  std::vector<Claim> claims;
  std::vector<FigureGroup> figures;
  std::string reading;  ///< how to read figures and table
  std::vector<Table> tables;
  std::vector<Gallery> galleries;
  std::vector<std::pair<std::string, std::string>> facts;  ///< command, settings, machine, time
  std::string dataset{};                                   ///< for runs.csv
  std::vector<RunRecord> runs{};  ///< that it is about: for runs.csv, and which of them failed
};

/// The page. `drawings` holds the SVGs of the figures, group by group; empty if they could not be
/// drawn, `missing` then says why.
std::string report_html(const Report& report, const std::vector<std::string>& drawings,
                        const std::string& missing);

/// Draws the figures and writes folder/report.html, each figure as an SVG file beside it,
/// claims.json and runs.csv. Returns an empty string, or why there are no figures. Throws IoError
/// if something cannot be written.
std::string write_report(const Report& report, const std::filesystem::path& folder);

/// write_report(), and says on stdout which claims hold, which runs failed and where the page is.
void publish(const Report& report, const std::filesystem::path& folder);

}  // namespace cograd
