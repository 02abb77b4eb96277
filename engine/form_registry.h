// Texts such as "adam:0.9,0.999", a name and numbers, and registries of what they name.
#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"

namespace cograd {

/// A text taken apart at its colon.
struct NamedNumbers {
  std::string name;
  std::vector<double> numbers;
};
/// Returns nothing unless finite numbers, separated by commas, follow the colon.
std::optional<NamedNumbers> parse_named_numbers(std::string_view text);

/// How many numbers "BETA1,BETA2" names.
std::ptrdiff_t count_of_numbers(std::string_view numbers);

/// True for letters, digits and _.
bool is_plain_name(std::string_view name);

/// What texts of one kind name. A Form has the members `name`, `numbers` ("BETA1,BETA2", as help
/// shows them; empty for none) and `make`. A name may have forms of different counts of numbers.
template <class Form>
class FormRegistry {
 public:
  struct Match {
    const Form& form;
    std::vector<double> numbers;
  };

  /// `kind` ("optimizer") begins all messages.
  FormRegistry(std::string kind, std::vector<Form> built_in)
      : kind_(std::move(kind)), forms_(std::move(built_in)) {}

  /// Throws ValueError for a name that is taken or none.
  void add(Form form) {
    require<ValueError>(is_plain_name(form.name),
                        "[{}] '{}' is no name: expected letters, digits and _", kind_, form.name);
    require<ValueError>(find(form.name, count_of_numbers(form.numbers)) == nullptr,
                        "[{}] '{}' is taken", kind_, form.name);
    forms_.push_back(std::move(form));
  }

  /// All forms, as help shows them: "adam", "adam:BETA1,BETA2".
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Form& form : forms_) {
      all.push_back(form.numbers.empty() ? form.name : form.name + ":" + form.numbers);
    }
    return all;
  }

  /// Throws ValueError naming all forms.
  Match match(std::string_view text) const {
    if (std::optional<NamedNumbers> parts = parse_named_numbers(text)) {
      const Form* form = find(parts->name, std::ssize(parts->numbers));
      if (form != nullptr) return {*form, std::move(parts->numbers)};
    }
    refuse(text);
  }

  /// Throws ValueError naming all forms.
  [[noreturn]] void refuse(std::string_view text) const {
    throw ValueError(
        fmt::format("[{}] cannot read '{}': expected {}", kind_, text, fmt::join(texts(), ", ")));
  }

 private:
  const Form* find(std::string_view name, std::ptrdiff_t count) const {
    const auto found = std::find_if(forms_.begin(), forms_.end(), [&](const Form& form) {
      return form.name == name && count_of_numbers(form.numbers) == count;
    });
    return found == forms_.end() ? nullptr : &*found;
  }

  std::string kind_;
  std::vector<Form> forms_;
};

}  // namespace cograd
