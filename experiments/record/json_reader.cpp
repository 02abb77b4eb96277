#include "cograd/experiments/record/json_reader.h"

#include <cmath>

#include "cograd/engine/text.h"

namespace cograd {
namespace {

using Json = JsonReader::Json;

/// A value in a message.
std::string shown(const Json& value) {
  constexpr std::size_t kMost = 40;
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  const std::string all = value.dump();
  return printable(all.size() <= kMost ? all : all.substr(0, kMost) + "...");
}

}  // namespace

JsonReader::JsonReader(const std::string& text, std::string complaint)
    : JsonReader(Json::parse(text, nullptr, /*allow_exceptions=*/false), std::move(complaint)) {}

JsonReader::JsonReader(Json json, std::string complaint)
    : json_(std::move(json)), complaint_(std::move(complaint)) {
  check(json_.is_object(), "it is no JSON object");
}

const Json& JsonReader::field(const char* key) const {
  const auto found = json_.find(key);
  check(found != json_.end(), "{} is missing", key);
  return *found;
}

const Json& JsonReader::list(const char* key) const {
  const Json& value = field(key);
  check(value.is_array(), "{} is {}: expected a list", key, shown(value));
  return value;
}

std::int64_t JsonReader::integer(const Json& value, const char* key, std::int64_t low,
                                 std::int64_t high) const {
  // get() would turn unsigned numbers above the signed range into negative ones.
  const bool fits =
      value.is_number_integer() &&
      !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{kLargest});
  const std::int64_t number = fits ? value.get<std::int64_t>() : 0;
  check(fits && number >= low && number <= high, "{} holds {}: expected {} to {}", key,
        shown(value), low, high);
  return number;
}

std::int64_t JsonReader::integer(const char* key, std::int64_t low, std::int64_t high) const {
  return integer(field(key), key, low, high);
}

std::vector<std::int64_t> JsonReader::integers(const char* key, std::int64_t low,
                                               std::int64_t high) const {
  std::vector<std::int64_t> values;
  for (const Json& item : list(key)) values.push_back(integer(item, key, low, high));
  return values;
}

double JsonReader::number(const Json& value, const std::string& key) const {
  check(value.is_number() && std::isfinite(value.get<double>()), "{} holds {}: expected a number",
        printable(key), shown(value));
  return value.get<double>();
}

double JsonReader::number(const char* key) const { return number(field(key), key); }

std::optional<double> JsonReader::number_if_there(const char* key) const {
  return json_.contains(key) ? std::optional(number(key)) : std::nullopt;
}

std::vector<float> JsonReader::numbers(const char* key) const {
  std::vector<float> values;
  for (const Json& item : list(key)) {
    check(item.is_number(), "{} holds {}: expected numbers", key, shown(item));
    values.push_back(item.get<float>());
  }
  return values;
}

bool JsonReader::flag(const char* key) const {
  const Json& value = field(key);
  check(value.is_boolean(), "{} holds {}: expected true or false", key, shown(value));
  return value.get<bool>();
}

std::string JsonReader::text(const Json& value, const char* key) const {
  check(value.is_string(), "{} holds {}: expected text", key, shown(value));
  return value.get<std::string>();
}

std::string JsonReader::text(const char* key) const { return text(field(key), key); }

std::optional<std::string> JsonReader::text_if_there(const char* key) const {
  return json_.contains(key) ? std::optional(text(key)) : std::nullopt;
}

std::vector<std::string> JsonReader::texts(const char* key) const {
  std::vector<std::string> values;
  for (const Json& item : list(key)) values.push_back(text(item, key));
  return values;
}

JsonReader JsonReader::object(const char* key) const {
  return {field(key), fmt::format("{}: {}", complaint_, key)};
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::objects() const {
  std::vector<std::pair<std::string, JsonReader>> fields;
  for (const auto& [name, value] : json_.items()) {
    fields.emplace_back(name,
                        JsonReader(value, fmt::format("{}: {}", complaint_, printable(name))));
  }
  return fields;
}

std::vector<std::pair<std::string, std::vector<double>>> JsonReader::number_lists() const {
  std::vector<std::pair<std::string, std::vector<double>>> fields;
  for (const auto& [name, value] : json_.items()) {
    check(value.is_array(), "{} is {}: expected a list", printable(name), shown(value));
    std::vector<double> numbers;
    for (const Json& item : value) numbers.push_back(number(item, name));
    fields.emplace_back(name, std::move(numbers));
  }
  return fields;
}

}  // namespace cograd
