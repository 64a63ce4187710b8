#include "admin/admin_http.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "base/url.h"
#include "net/reason_phrase.h"

namespace sse::admin {
namespace {

using event::Json;

}  // namespace

Json problem(int status, const std::string& code, const std::string& sentence) {
  return {{"type", "about:blank"},
          {"title", net::reason_phrase(status)},
          {"status", status},
          {"code", code},
          {"detail", printable(sentence, 1000)}};
}

void write_problem(httplib::Response& res, int status, const std::string& code, const std::string& sentence) {
  res.status = status;
  res.set_content(event::dump_json(problem(status, code, sentence)), "application/problem+json");
}

void write_json(httplib::Response& res, const Json& json) {
  res.set_content(event::dump_json(json), kJsonType);
}

std::uint64_t positive_parameter(const httplib::Request& req, const char* name, std::uint64_t fallback,
                                 std::uint64_t max) {
  if (!req.has_param(name)) return fallback;
  const std::string text = req.get_param_value(name);
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value == 0 || value > max) {
    throw Error(ErrorCode::kInvalidArgument, std::string(name) + " '" + printable(text, 40) +
                                                 "' must be a whole number from 1 to " + std::to_string(max));
  }
  return value;
}

bool bool_parameter(const httplib::Request& req, const char* name) {
  return choice_parameter(req, name, {"false", "true"}) == 1;
}

std::size_t choice_parameter(const httplib::Request& req, const char* name,
                             std::initializer_list<std::string_view> choices) {
  if (!req.has_param(name)) return 0;
  const std::string text = req.get_param_value(name);
  const auto* const found = std::ranges::find(choices, std::string_view(text));
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  std::string names;
  for (const std::string_view choice : choices) names += (names.empty() ? "" : ", ") + std::string(choice);
  throw Error(ErrorCode::kInvalidArgument,
              std::string(name) + " '" + printable(text, 40) + "' must be one of " + names);
}

std::vector<std::string> parameter_values(const httplib::Request& req, const char* name) {
  // Not httplib's, which drops the part of a value before its last '='.
  std::vector<std::string> list;
  for (auto& [found, value] : form_parameters(query_of(req.target))) {
    if (found == name) list.push_back(std::move(value));
  }
  return list;
}

void require_parameters(const httplib::Request& req, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : req.params) {
    if (std::ranges::find(known, name) == known.end()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "unknown parameter '" + printable(name, 60) + "'; see /api/openapi.json");
    }
  }
}

std::uint64_t path_id(const httplib::Request& req) {
  const auto id = parse_id(req.matches[1].str());
  if (!id)
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(req.matches[1].str(), 40) + "' is not an id; ids are decimal numbers");
  return *id;
}

Page Page::of(const httplib::Request& req) {
  return {positive_parameter(req, "pageNum", 1, 1'000'000'000'000),
          positive_parameter(req, "pageSize", 100, api::kMaxPageSize)};
}

const application::Service& find_service(const std::vector<application::Service>& services, const std::string& name) {
  std::string names;
  for (const application::Service& service : services) {
    if (service.sender->service().str() == name) return service;
    names += (names.empty() ? "" : ", ") + service.sender->service().str();
  }
  if (name.empty() && services.size() == 1) return services.front();
  if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "several services are hosted here; name one of " + names);
  throw Error(ErrorCode::kNotFound, "no service '" + printable(name, 60) + "' is hosted here; there are " + names);
}

}  // namespace sse::admin
