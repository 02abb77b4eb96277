#include "cograd/data/label_noise.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "cograd/data/checksum.h"
#include "cograd/data/text_lines.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/random.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

// Streams of the seed: which examples, which labels, and the draws from a matrix.
constexpr std::uint64_t kChoice = 0xC0, kLabels = 0xC1, kTransitions = 0xC2;
constexpr std::uint64_t kPartBit = 40;  // above the streams that count epochs
constexpr double kTolerance = 1e-6;     // of a row's sum
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

Random stream_of(std::uint64_t seed, std::uint64_t stream, NoisePart part) {
  return Random(seed, stream + (static_cast<std::uint64_t>(part) << kPartBit));
}

std::vector<std::int64_t> true_labels(const Dataset& data) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < data.size(); ++i) labels.push_back(data.label(i));
  return labels;
}

/// The examples to corrupt, in an order of which each fraction takes the first ones.
std::vector<std::size_t> chosen(const Dataset& data, double fraction, std::uint64_t seed,
                                NoisePart part) {
  require<ValueError>(fraction >= 0.0 && fraction <= 1.0,
                      "[label noise] the fraction must be in [0, 1], not {}", fraction);
  std::vector<std::size_t> order(static_cast<std::size_t>(data.size()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random random = stream_of(seed, kChoice, part);
  shuffle(order.begin(), order.end(), random);
  order.resize(static_cast<std::size_t>(std::llround(fraction * static_cast<double>(data.size()))));
  return order;
}

/// The fault of row `t`; empty if it is a distribution.
std::string fault_of(const std::vector<double>& values, std::int64_t classes, std::int64_t t) {
  double sum = 0.0;
  for (std::int64_t g = 0; g < classes; ++g) {
    const double p = values[static_cast<std::size_t>(t * classes + g)];
    if (!(p >= 0.0 && p <= 1.0 + kTolerance)) {
      return fmt::format("{} is no probability: expected 0 to 1", p);
    }
    sum += p;
  }
  if (std::abs(sum - 1.0) <= kTolerance) return "";
  return fmt::format("the probabilities sum to {:.8g}: expected 1", sum);
}

}  // namespace

std::vector<std::int64_t> uniform_labels(const Dataset& data, double fraction, std::uint64_t seed,
                                         NoisePart part) {
  std::vector<std::int64_t> labels = true_labels(data);
  Random random = stream_of(seed, kLabels, part);
  for (const std::size_t i : chosen(data, fraction, seed, part)) {
    labels[i] = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(data.classes())));
  }
  return labels;
}

std::vector<std::int64_t> asymmetric_labels(const Dataset& data, double fraction,
                                            std::uint64_t seed, NoisePart part) {
  std::vector<std::int64_t> labels = true_labels(data);
  for (const std::size_t i : chosen(data, fraction, seed, part)) {
    labels[i] = (labels[i] + 1) % data.classes();
  }
  return labels;
}

TransitionMatrix::TransitionMatrix(std::int64_t classes, std::vector<double> values)
    : classes_(classes), values_(std::move(values)) {
  require<ValueError>(classes >= 1 && std::ssize(values_) == classes * classes,
                      "[label noise] a transition matrix of {} numbers: expected {} x {}",
                      values_.size(), classes, classes);
  for (std::int64_t t = 0; t < classes; ++t) {
    const std::string fault = fault_of(values_, classes, t);
    require<ValueError>(fault.empty(), "[label noise] row {} of the transition matrix: {}", t,
                        fault);
  }
}

double TransitionMatrix::noise_rate(const Dataset& data) const {
  double sum = 0.0;
  for (const std::int64_t t : true_labels(data)) sum += 1.0 - (*this)(t, t);
  return sum / static_cast<double>(std::max<std::int64_t>(1, data.size()));
}

std::string TransitionMatrix::checksum() const {
  return checksum_of(
      {reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(values_[0])});
}

TransitionMatrix transitions_between(const Dataset& data, const std::vector<std::int64_t>& labels) {
  require<ValueError>(std::ssize(labels) == data.size(),
                      "[label noise] {} labels for {}, which has {} examples", labels.size(),
                      data.name(), data.size());
  const std::int64_t classes = data.classes();
  std::vector<double> values(static_cast<std::size_t>(classes * classes), 0.0);
  for (std::int64_t i = 0; i < data.size(); ++i) {
    ++values[static_cast<std::size_t>(data.label(i) * classes +
                                      labels[static_cast<std::size_t>(i)])];
  }
  for (std::int64_t t = 0; t < classes; ++t) {
    const auto row = values.begin() + t * classes;
    const double count = std::accumulate(row, row + classes, 0.0);
    if (count == 0.0) {
      row[t] = 1.0;
    } else {
      std::transform(row, row + classes, row, [=](double n) { return n / count; });
    }
  }
  return {classes, std::move(values)};
}

TransitionMatrix read_transition_matrix(const std::filesystem::path& path, std::int64_t classes) {
  const std::string name = printable(path.native());
  const std::vector<std::string> lines = text_lines(read_file(path, kMostBytes), name);
  require<FormatError>(std::ssize(lines) == classes,
                       "[label noise] {} has {} lines: expected one for each of {} classes", name,
                       lines.size(), classes);
  std::vector<double> values;
  for (std::int64_t t = 0; t < classes; ++t) {
    const std::string& line = lines[static_cast<std::size_t>(t)];
    const auto check = [&](bool ok, const std::string& fault) {
      require<FormatError>(ok, "[label noise] {}:{}: {}", name, t + 1, fault);
    };
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find(',', begin), line.size());
      double value = 0.0;
      const auto [stop, error] = std::from_chars(line.data() + begin, line.data() + end, value);
      check(error == std::errc() && stop == line.data() + end,
            fmt::format("'{}' is not a number", printable(line.substr(begin, end - begin))));
      values.push_back(value);
      begin = end + 1;
    }
    check(std::ssize(values) == (t + 1) * classes,
          fmt::format("{} numbers: expected {}", std::ssize(values) - t * classes, classes));
    const std::string fault = fault_of(values, classes, t);
    check(fault.empty(), fault);
  }
  return {classes, std::move(values)};
}

std::vector<std::int64_t> labels_by_matrix(const Dataset& data, const TransitionMatrix& matrix,
                                           std::uint64_t seed, NoisePart part) {
  require<ValueError>(matrix.classes() == data.classes(),
                      "[label noise] a transition matrix of {} classes for {}, which has {}",
                      matrix.classes(), data.name(), data.classes());
  std::vector<std::int64_t> labels = true_labels(data);
  Random random = stream_of(seed, kTransitions, part);
  for (std::int64_t& label : labels) {
    const std::int64_t t = label;
    double left = random.uniform(0.0, 1.0);
    for (std::int64_t g = 0; g < matrix.classes(); ++g) {
      if (matrix(t, g) == 0.0) continue;
      label = g;  // the last class of the row takes what rounding leaves
      left -= matrix(t, g);
      if (left < 0.0) break;
    }
  }
  return labels;
}

}  // namespace cograd
