// Checks for exercises: one line each, which says what is wrong, what was expected and what came.
//
//   #include COURSE_STUDENT  // student.cpp, or its solution
//   int main() {
//     return course::run([](course::Check& check) { check.near("square(3)", square(3.0), 9.0); });
//   }
//
// In an exercise with answers.txt, main() gets the file: course::run(argv[1], [](Check&, Answers&)).
// Lines at the top of a check.cpp say what it needs beyond cograd::cograd:
//   // Compile: -O3            more flags
//   // Link: cograd::experiments
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace course {

/// What a stub throws, with what is left to do.
class ToDo : public std::exception {
 public:
  explicit ToDo(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

/// Counts and prints checks.
class Check {
 public:
  /// `wrong` is printed if not `ok`: what was expected, what came, perhaps why.
  bool that(bool ok, std::string_view what, std::string_view wrong) {
    ++(ok ? right_ : wrong_);
    if (ok) {
      fmt::print("right: {}\n", what);
    } else {
      fmt::print("WRONG: {}: {}\n", what, wrong);
    }
    return ok;
  }
  /// `why` is added to the line of a wrong value.
  template <class A, class B>
  bool equal(std::string_view what, const A& got, const B& expected, std::string_view why = "") {
    return that(got == expected, what,
                fmt::format("expected {}, got {}{}", expected, got, because(why)));
  }
  /// Equal within `tolerance` times the larger of 1 and |expected|.
  bool near(std::string_view what, double got, double expected, double tolerance = 1e-6,
            std::string_view why = "") {
    const double scale = std::max(1.0, std::abs(expected));
    return that(std::abs(got - expected) <= tolerance * scale, what,
                fmt::format("expected {:.6g}, got {:.6g}{}", expected, got, because(why)));
  }
  /// Of the first element that is not near, its index.
  template <class A, class B>
  bool all_near(std::string_view what, const A& got, const B& expected, double tolerance = 1e-6,
                std::string_view why = "") {
    if (got.size() != expected.size()) {
      return that(false, what,
                  fmt::format("expected {} values, got {}", expected.size(), got.size()));
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double scale = std::max(1.0, std::abs(static_cast<double>(expected[i])));
      if (!(std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])) <=
            tolerance * scale)) {
        return that(false, what,
                    fmt::format("element {}: expected {:.6g}, got {:.6g}{}", i,
                                static_cast<double>(expected[i]), static_cast<double>(got[i]),
                                because(why)));
      }
    }
    return that(true, what, "");
  }
  /// Runs `part`; what it throws is one wrong check.
  void part(std::string_view what, const std::function<void()>& body) {
    try {
      body();
    } catch (const ToDo& left) {
      that(false, what, fmt::format("still to do: {}", left.what()));
    } catch (const std::exception& e) {
      that(false, what, fmt::format("it throws: {}", e.what()));
    }
  }

  int exit_code() const { return wrong_ == 0 && right_ > 0 ? 0 : 1; }
  int right() const { return right_; }
  int checks() const { return right_ + wrong_; }

 private:
  static std::string because(std::string_view why) {
    return why.empty() ? "" : fmt::format(" ({})", why);
  }

  int right_ = 0, wrong_ = 0;
};

/// answers.txt: lines "question = answer"; # begins a comment, and ? stands for no answer yet.
class Answers {
 public:
  Answers(const std::string& path, Check& check) : check_(&check) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      line = line.substr(0, line.find('#'));
      const std::size_t equals = line.rfind('=');  // a question may have one, too
      if (equals != std::string::npos) {
        given_[trimmed(line.substr(0, equals))] = trimmed(line.substr(equals + 1));
      }
    }
  }

  /// The answer to `question` should be a number near `right`; a wrong one is met with `hint`, and
  /// not with the number.
  bool number(const std::string& question, double right, std::string_view hint,
              double tolerance = 1e-3) {
    const std::string answer = given(question);
    if (answer.empty()) return false;
    char* end = nullptr;
    double value = std::strtod(answer.c_str(), &end);
    if (end != answer.c_str() && *end == '/') value /= std::strtod(end + 1, &end);
    if (end == answer.c_str() || *end != '\0') {
      return check_->that(false, question,
                          fmt::format("expected a number like 0.5 or 1/2, got '{}'", answer));
    }
    return check_->that(std::abs(value - right) <= tolerance * std::max(1.0, std::abs(right)),
                        question,
                        fmt::format("the program gives another number than {}: {}", answer, hint));
  }
  /// The same for a word.
  bool word(const std::string& question, std::string_view right, std::string_view hint) {
    const std::string answer = given(question);
    return !answer.empty() &&
           check_->that(answer == right, question, fmt::format("it is not {}: {}", answer, hint));
  }

 private:
  static std::string trimmed(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    return begin == std::string::npos
               ? ""
               : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
  }
  /// Empty, and a wrong check, if there is none.
  std::string given(const std::string& question) {
    const auto at = given_.find(question);
    if (at != given_.end() && !at->second.empty() && at->second != "?") return at->second;
    check_->that(false, question,
                 fmt::format("no answer yet: write one into answers.txt after '{} ='", question));
    return "";
  }

  std::map<std::string, std::string> given_;
  Check* check_;
};

/// main() of a check: 0 if all checks are right.
inline int run(const std::function<void(Check&)>& checks) {
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 12);  // lines before a crash are seen
  Check check;
  check.part("the exercise", [&] { checks(check); });
  fmt::print("{} of {} checks are right\n", check.right(), check.checks());
  return check.exit_code();
}

inline int run(const std::string& answers_file,
               const std::function<void(Check&, Answers&)>& checks) {
  return run([&](Check& check) {
    Answers answers(answers_file, check);
    checks(check, answers);
  });
}

}  // namespace course
