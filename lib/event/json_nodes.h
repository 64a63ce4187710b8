#pragma once

#include <map>
#include <string>
#include <vector>

#include "event/json_value.h"

namespace sse::event {

// What a Json of these kinds holds; for the sources that Json is made of.
struct Json::Array {
  std::vector<Json> elements;
};
struct Json::Object {
  std::map<std::string, Json, std::less<>> members;
};

}  // namespace sse::event
