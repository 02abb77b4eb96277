// Reads untrusted JSON: every value is checked before use.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"

namespace cograd {

/// Reads the fields of an object. All members throw FormatError, "COMPLAINT: KEY holds 7: expected
/// 1 to 5", if a field is missing or has another type or range.
class JsonReader {
 public:
  using Json = nlohmann::ordered_json;

  /// Parses an object. `complaint` begins all messages.
  JsonReader(const std::string& text, std::string complaint);
  JsonReader(Json json, std::string complaint);

  bool has(const char* key) const { return json_.contains(key); }
  static constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  std::int64_t integer(const char* key, std::int64_t low = 0, std::int64_t high = kLargest) const;
  std::vector<std::int64_t> integers(const char* key, std::int64_t low, std::int64_t high) const;
  double number(const char* key) const;  ///< finite
  std::optional<double> number_if_there(const char* key) const;
  /// Unchecked: values may lie outside of float's range.
  std::vector<float> numbers(const char* key) const;
  bool flag(const char* key) const;
  std::string text(const char* key) const;
  std::optional<std::string> text_if_there(const char* key) const;
  std::vector<std::string> texts(const char* key) const;
  JsonReader object(const char* key) const;
  /// The fields of this object by name, each an object.
  std::vector<std::pair<std::string, JsonReader>> objects() const;
  /// The fields of this object by name, each a list of finite numbers.
  std::vector<std::pair<std::string, std::vector<double>>> number_lists() const;

  template <class... Args>
  void check(bool ok, fmt::format_string<Args...> what, Args&&... args) const {
    if (ok) return;
    throw FormatError(
        fmt::format("{}: {}", complaint_, fmt::format(what, std::forward<Args>(args)...)));
  }

 private:
  const Json& field(const char* key) const;
  const Json& list(const char* key) const;
  double number(const Json& value, const std::string& key) const;
  std::int64_t integer(const Json& value, const char* key, std::int64_t low,
                       std::int64_t high) const;
  std::string text(const Json& value, const char* key) const;

  Json json_;
  std::string complaint_;
};

}  // namespace cograd
