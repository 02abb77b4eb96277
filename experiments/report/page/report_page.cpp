#include "cograd/experiments/report/page/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <set>
#include <string_view>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/report/page/html.h"
#include "cograd/experiments/report/page/runs_csv.h"

namespace cograd {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --text: #1c1e21; --faint: #5c636b; --line: #d9dce0;
  --page: #ffffff; --card: #f7f8f9; --good: #00694d; --bad: #a83f00; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8ea; --faint: #a2a9b1; --line: #3a3f45;
  --page: #17191c; --card: #1f2226; --good: #4fd1a5; --bad: #ff9a5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 68rem; color: var(--text);
  background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: .92rem; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { color: var(--faint); font-weight: 600; }
.numbers th + th, .numbers td + td { text-align: right; white-space: nowrap; }
.holds { color: var(--good); font-weight: 600; white-space: nowrap; }
.fails { color: var(--bad); font-weight: 600; white-space: nowrap; }
.open { color: var(--faint); font-weight: 600; white-space: nowrap; }
.answer { font-size: 1.1rem; font-weight: 600; }
.measured { min-width: 11rem; }
.failed { color: var(--bad); overflow-wrap: anywhere; }
.numbers td.failed { text-align: left; white-space: normal; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
figure { margin: 0; padding: .75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .25rem; }
.gallery img { height: 3.5rem; margin: 0 .25rem .25rem 0; image-rendering: pixelated;
  vertical-align: middle; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; font-size: .92rem; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 36rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .claims thead { display: none; } .claims tr { display: block; padding: .5rem 0;
    border-bottom: 1px solid var(--line); }
  .claims td { display: block; border: 0; padding: 0; }
}
)css";

/// A file name of the letters and digits of `text`, in lower case, with single dashes between. A
/// number follows if the name is `taken`. Adds the name to `taken`.
std::string file_name(std::string_view text, std::set<std::string>& taken) {
  constexpr std::size_t kLongest = 100;
  std::string name;
  for (const char c : text.substr(0, kLongest)) {
    const bool keep = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (keep) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!keep && !name.empty() && name.back() != '-') name += '-';
  }
  if (name.empty()) name = "figure";
  std::string unique = name;
  for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}-{}", name, i);
  return unique;
}

/// An SVG of the page as a file for other documents: on white, with black text.
std::string standalone(const std::string& svg) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<svg style=\"background:#fff\"" +
         svg.substr(4);
}

std::string table_html(const Table& table) {
  std::string html = "<div class=\"scroll\"><table class=\"numbers\">\n<thead><tr>";
  for (const std::string& cell : table.header) html += "<th>" + escaped(cell) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool rest = i + 1 == row.size() && row.size() < table.header.size();
      html += rest ? fmt::format("<td class=\"failed\" colspan=\"{}\">", table.header.size() - i)
                   : "<td>";
      html += escaped(row[i]) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

std::string thumbnails_html(const std::vector<Thumbnail>& thumbnails) {
  std::string html = "<td>";
  for (const Thumbnail& thumbnail : thumbnails) {
    html += fmt::format("<img src=\"{0}\" alt=\"{1}\" title=\"{1}\">", png_uri(thumbnail),
                        escaped(thumbnail.caption));
  }
  return html + "</td>";
}

/// "2 of 6 runs failed:" and a line for each; empty if none failed.
std::vector<std::string> failures_of(const std::vector<RunRecord>& runs) {
  std::vector<std::string> lines;
  for (const RunRecord& run : runs) {
    if (!run.finished()) lines.push_back(title_of(run.settings) + ": " + run.failure);
  }
  if (lines.empty()) return lines;
  lines.insert(lines.begin(), fmt::format("{} of {} run{} failed:", lines.size(), runs.size(),
                                          runs.size() == 1 ? "" : "s"));
  return lines;
}

std::string failures_html(const std::vector<RunRecord>& runs) {
  const std::vector<std::string> lines = failures_of(runs);
  if (lines.empty()) return "";
  std::string html = "<p class=\"failed\">" + escaped(lines[0]) + "</p>\n<ul class=\"failed\">\n";
  for (std::size_t i = 1; i < lines.size(); ++i) html += "<li>" + escaped(lines[i]) + "</li>\n";
  return html + "</ul>\n";
}

/// The number of unreadable images, or its range over the runs; empty if there are none.
std::string skipped_text(const std::vector<RunRecord>& runs) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
  for (const RunRecord& run : runs) {
    least = std::min(least, run.skipped_images);
    most = std::max(most, run.skipped_images);
  }
  if (most == 0) return "";
  return least == most
             ? fmt::format("{} in each run could not be read, and are absent from its numbers",
                           most)
             : fmt::format(
                   "{} to {} in a run (runs.csv has each run's number) could not be read, "
                   "and are absent from its numbers",
                   least, most);
}

std::string facts_html(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string html;
  for (const auto& [name, value] : facts) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
  }
  return html;
}

std::string gallery_html(const Gallery& gallery) {
  if (gallery.rows.empty()) return "";
  std::string html = fmt::format(
      "<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><table "
      "class=\"gallery\">\n<thead><tr><th>class"
      "</th><th>{}</th><th>{}</th></tr></thead>\n<tbody>\n",
      escaped(gallery.heading), escaped(gallery.text), escaped(gallery.easiest),
      escaped(gallery.hardest));
  for (const GalleryRow& row : gallery.rows) {
    html += fmt::format("<tr><td>{}</td>{}{}</tr>\n", escaped(row.name),
                        thumbnails_html(row.easiest), thumbnails_html(row.hardest));
  }
  return html + "</tbody>\n</table></div>\n";
}

}  // namespace

std::string report_html(const Report& report, const std::vector<std::string>& drawings,
                        const std::string& missing) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p>{2}</p>\n{3}"
      "<dl>\n{4}</dl>\n{5}{6}",
      escaped(report.title), kStyle, escaped(report.lead),
      report.answer.empty() ? "" : "<p class=\"answer\">" + escaped(report.answer) + "</p>\n",
      facts_html(report.identity), failures_html(report.runs),
      report.has_claims ? "<h2>Claims</h2>\n" + claims_html(report.claims) : "");
  if (!report.reading.empty()) {
    html += "<h2>Curves</h2>\n<p>" + escaped(report.reading) + "</p>\n";
  }
  if (!missing.empty()) html += "<p>No figures: " + escaped(missing) + "</p>\n";
  auto drawing = drawings.begin();
  for (const FigureGroup& group : report.figures) {
    if (drawings.empty() && group.note.empty()) continue;
    html += "<h3>" + escaped(group.heading) + "</h3>\n";
    if (!group.note.empty()) html += "<p class=\"failed\">" + escaped(group.note) + "</p>\n";
    if (!group.text.empty()) html += "<p>" + escaped(group.text) + "</p>\n";
    html += "<div class=\"figures\">\n";
    for (const Figure& figure : group.figures) {
      if (drawing == drawings.end()) break;
      html += fmt::format("<figure><figcaption>{}</figcaption>\n{}</figure>\n",
                          escaped(figure.title), *drawing++);
    }
    html += "</div>\n";
  }
  for (const Table& table : report.tables) {
    html += "<h2>" + escaped(table.heading) + "</h2>\n";
    if (!table.text.empty()) html += "<p>" + escaped(table.text) + "</p>\n";
    html += table_html(table);
  }
  for (const Gallery& gallery : report.galleries) html += gallery_html(gallery);
  html += "<h2>Where it was run</h2>\n<dl>\n" + facts_html(report.facts);
  if (const std::string skipped = skipped_text(report.runs); !skipped.empty()) {
    html += "<dt>Skipped images</dt><dd>" + escaped(skipped) + "</dd>\n";
  }
  return html + "</dl>\n</body>\n</html>\n";
}

std::string write_report(const Report& report, const std::filesystem::path& folder) {
  std::vector<std::string> drawings;
  std::string missing;
  try {
    for (const FigureGroup& group : report.figures) {
      for (const Figure& figure : group.figures) {
        drawings.push_back(draw_svg(figure, fmt::format("f{}", drawings.size())));
      }
    }
  } catch (const IoError& error) {
    drawings.clear();
    missing = error.what();
  }
  // In the page's folder: the authors' analysis script takes every folder in it for a run.
  auto drawing = drawings.begin();
  std::set<std::string> taken;
  for (const FigureGroup& group : report.figures) {
    for (const Figure& figure : group.figures) {
      if (drawing == drawings.end()) break;
      const std::string title = figure.title.substr(0, figure.title.find(": "));
      write_file(folder / (file_name(group.heading + " " + title, taken) + ".svg"),
                 standalone(*drawing++));
    }
  }
  write_file(folder / "claims.json", claims_json(report.claims));
  write_file(folder / "runs.csv", runs_csv(report.runs, folder, report.dataset));
  write_file(folder / "report.html", report_html(report, drawings, missing));
  return missing;
}

void publish(const Report& report, const std::filesystem::path& folder) {
  const std::size_t width = text_width(stdout);
  const auto say = [&](const std::string& text) {
    for (const std::string& line : wrapped(printable(text), width)) show(stdout, line + "\n");
  };
  const std::string missing = write_report(report, folder);
  show(stdout, "\n");
  if (!report.answer.empty()) {
    say(report.answer);
    show(stdout, "\n");
  }
  if (!report.claims.empty()) {
    show(stdout, claims_table(report.claims, static_cast<int>(width)) + "\n");
  }
  for (const std::string& line : failures_of(report.runs)) say(line);
  if (!missing.empty()) say("The report has no figures: " + missing);
  // Not wrapped: it will be copied.
  const std::string page = std::filesystem::absolute(folder / "report.html").string();
  show(stdout, "report: " + printable(page) + "\n");
}

}  // namespace cograd
