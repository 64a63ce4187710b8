#include "cluster/core/typed_json.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace sse::cluster {
namespace {

using event::Json;

constexpr std::size_t kMaxFacts = std::size_t{16} << 10;
constexpr std::size_t kMaxFact = 1000;
constexpr std::size_t kMaxFactCount = 100;
constexpr std::array<std::string_view, 3> kTexts{"url", "version", "state"};
constexpr std::array<std::string_view, 9> kNumbers{"pid",       "startTime",  "connections",    "users",  "memoryBytes",
                                                   "cpuMicros", "deliveries", "deliveredBytes", "dropped"};

const Json* field(const Json& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(name);
  return found == json.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Json> read_json(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) return std::nullopt;
  try {
    return event::parse_json(text, "an answer");
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string text_in(const Json& json, const char* name) {
  const Json* found = field(json, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t count_in(const Json& json, const char* name, std::uint64_t fallback) {
  const Json* found = field(json, name);
  if (found == nullptr || !found->is_number_integer()) return fallback;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  const std::int64_t number = found->get<std::int64_t>();
  return number >= 0 ? static_cast<std::uint64_t>(number) : fallback;
}

std::int64_t number_in(const Json& json, const char* name, std::int64_t fallback) {
  const Json* found = field(json, name);
  if (found == nullptr || !found->is_number_integer()) return fallback;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    return fallback;
  return found->get<std::int64_t>();
}

bool flag_in(const Json& json, const char* name, bool fallback) {
  const Json* found = field(json, name);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : fallback;
}

Json typed_facts(const Json& facts) {
  Json typed = Json::object();
  if (!facts.is_object()) return typed;
  for (const auto& [name, value] : facts.items()) {
    if (typed.size() >= kMaxFactCount) break;
    const bool text = value.is_string() && value.get<std::string>().size() <= kMaxFact;
    const bool number = value.is_number_integer();
    if (std::ranges::find(kTexts, name) != kTexts.end() && !text) continue;
    if (std::ranges::find(kNumbers, name) != kNumbers.end() && !number) continue;
    if (text || number || value.is_boolean()) typed[name] = value;
  }
  return typed;
}

Json read_facts(std::string_view text) {
  const std::optional<Json> facts = read_json(text, kMaxFacts);
  return facts ? typed_facts(*facts) : Json::object();
}

}  // namespace sse::cluster
