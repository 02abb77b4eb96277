#include "cograd/experiments/record/suspects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cograd/engine/file.h"
#include "cograd/experiments/record/csv.h"

namespace cograd {
namespace {

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : std::string();
}

}  // namespace

std::string class_text(std::int64_t label, const std::vector<std::string>& class_names) {
  return label < std::ssize(class_names) ? class_names[static_cast<std::size_t>(label)]
                                         : std::to_string(label);
}

void write_suspects(const std::filesystem::path& path, const std::vector<Suspect>& suspects,
                    const std::vector<std::string>& class_names) {
  const auto any = [&](const auto& has) {
    return std::any_of(suspects.begin(), suspects.end(), has);
  };
  const bool files = any([](const Suspect& s) { return !s.file.empty(); });
  const bool suggested = any([](const Suspect& s) { return s.suggested.has_value(); });
  const bool truth = any([](const Suspect& s) { return s.true_label.has_value(); });
  const auto name = [&](const std::optional<std::int64_t>& label) {
    return label ? csv_cell(class_text(*label, class_names)) : std::string();
  };
  OutputFile out(path);
  out.write(fmt::format("index{},label{},learned_since,aum,el2n,probability,rank{}\n",
                        files ? ",file" : "", suggested ? ",suggested" : "",
                        truth ? ",true_label" : ""));
  std::int64_t rank = 0;
  for (const Suspect& s : suspects) {
    std::string row = fmt::format("{}", s.index);
    const auto add = [&row](const std::string& cell) { row += "," + cell; };
    if (files) add(csv_cell(s.file));
    add(name(s.label));
    if (suggested) add(name(s.suggested));
    add(s.learned_since ? std::to_string(*s.learned_since) : "");
    for (const double score : {s.aum, s.el2n, s.probability}) add(number(score));
    add(std::to_string(++rank));
    if (truth) add(name(s.true_label));
    out.write(row + "\n");
  }
  out.commit();
}

void write_pred_probs(const std::filesystem::path& path, const std::vector<std::int64_t>& indices,
                      const std::vector<std::int64_t>& labels,
                      const std::vector<double>& probabilities) {
  const std::size_t classes = indices.empty() ? 0 : probabilities.size() / indices.size();
  std::string text = "index,label";
  for (std::size_t c = 0; c < classes; ++c) text += fmt::format(",p{}", c);
  OutputFile out(path);
  out.write(text + "\n");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const double* row = probabilities.data() + i * classes;
    if (std::any_of(row, row + classes, [](double p) { return std::isnan(p); })) continue;
    text = fmt::format("{},{}", indices[i], labels[i]);
    for (std::size_t c = 0; c < classes; ++c) text += fmt::format(",{:.6g}", row[c]);
    out.write(text + "\n");
  }
  out.commit();
}

}  // namespace cograd
