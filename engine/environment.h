// Switches in the environment.
#pragma once

#include <cstdlib>
#include <string_view>

#include "cograd/engine/error.h"

namespace cograd {

/// What the environment variable says, ON or OFF; `otherwise` if it is unset or empty. Throws
/// ValueError for another value.
inline bool environment_switch(const char* name, bool otherwise) {
  const char* set = std::getenv(name);
  if (set == nullptr || *set == '\0') return otherwise;
  const std::string_view value = set;
  require<ValueError>(value == "ON" || value == "OFF",
                      "[environment] {} is '{}': expected ON or OFF", name, value);
  return value == "ON";
}

}  // namespace cograd
