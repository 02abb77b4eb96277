#include "cograd/engine/form_registry.h"

#include <charconv>
#include <cmath>

namespace cograd {

std::optional<NamedNumbers> parse_named_numbers(std::string_view text) {
  const std::size_t colon = text.find(':');
  NamedNumbers parts{std::string(text.substr(0, colon)), {}};
  if (colon == std::string_view::npos) return parts;
  const char* at = text.data() + colon + 1;
  const char* const end = text.data() + text.size();
  while (true) {
    double number = 0.0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || !std::isfinite(number)) return std::nullopt;
    parts.numbers.push_back(number);
    if (stop == end) return parts;
    if (*stop != ',') return std::nullopt;
    at = stop + 1;
  }
}

std::ptrdiff_t count_of_numbers(std::string_view numbers) {
  return numbers.empty() ? 0 : 1 + std::count(numbers.begin(), numbers.end(), ',');
}

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), plain);
}

}  // namespace cograd
