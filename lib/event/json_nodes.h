#pragma once

#include <map>
#include <string>
#include <vector>

#include "event/json_value.h"

namespace sse::event {

// The storage of arrays and objects; only for the sources that implement Json.
struct Json::Array {
  std::vector<Json> elements;
};
struct Json::Object {
  std::map<std::string, Json, std::less<>> members;
};

}  // namespace sse::event
