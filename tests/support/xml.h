// Whether a text is well-formed XML, as far as pages and pictures use it.
#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/engine/text.h"

namespace cograd::testing {

/// Empty, or what is wrong. Knows elements, attributes, the five entities, comments, processing
/// instructions and document types.
inline std::string xml_fault(std::string_view xml) {
  for (std::string_view rest = xml; !rest.empty();) {  // printable but for blanks
    const std::size_t end = std::min(rest.find_first_of("\n\t"), rest.size());
    if (printable(rest.substr(0, end)) != rest.substr(0, end)) return "control characters";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto entities = [](std::string_view text) {
    for (std::size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1)) {
      bool known = false;
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&apos;"}) {
        known = known || text.substr(at).starts_with(entity);
      }
      if (!known) return false;
    }
    return true;
  };
  std::vector<std::string> open;
  while (true) {
    const std::size_t begin = std::min(xml.find('<'), xml.size());
    if (!entities(xml.substr(0, begin))) return "a lone & in a text";
    xml.remove_prefix(begin);
    if (xml.empty()) return open.empty() ? "" : "no end of " + open.back();
    if (xml.starts_with("<!--")) {
      const std::size_t end = xml.find("-->");
      if (end == std::string::npos) return "an open comment";
      xml.remove_prefix(end + 3);
      continue;
    }
    // The tag's end, outside of quotes.
    char quote = 0;
    std::size_t end = 1;
    for (; end < xml.size() && (quote != 0 || xml[end] != '>'); ++end) {
      if (quote == 0 && xml[end] == '<') return "a < within a tag";
      if (quote == 0 && (xml[end] == '"' || xml[end] == '\''))
        quote = xml[end];
      else if (xml[end] == quote)
        quote = 0;
    }
    if (end == xml.size()) return "an open tag";
    const std::string_view tag = xml.substr(1, end - 1);
    xml.remove_prefix(end + 1);
    if (tag.starts_with("?") || tag.starts_with("!")) continue;
    if (!entities(tag)) return "a lone & in a tag";
    std::size_t length = tag.starts_with("/") ? 1 : 0;
    while (length < tag.size() && (std::isalnum(static_cast<unsigned char>(tag[length])) != 0 ||
                                   tag[length] == ':' || tag[length] == '-')) {
      ++length;
    }
    if (length == 0) return "a tag without a name";
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) return "end of " + std::string(tag);
      open.pop_back();
    } else if (!tag.ends_with("/")) {
      open.emplace_back(tag.substr(0, length));
    }
  }
}

}  // namespace cograd::testing
