#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "application/service.h"
#include "event/json.h"
#include "net/httplib_app.h"

/// Shared by all routes of the admin API: reading parameters and writing responses.
namespace sse::admin {

inline constexpr const char* kJsonType = "application/json";

/// A problem document (RFC 9457) with our `code`.
event::Json problem(int status, const std::string& code, const std::string& sentence);
void write_problem(httplib::Response& res, int status, const std::string& code, const std::string& sentence);
void write_json(httplib::Response& res, const event::Json& json);

/// A whole number from 1 to `max`; `fallback` when absent. Throws Error(kInvalidArgument) naming the parameter.
std::uint64_t positive_parameter(const httplib::Request& req, const char* name, std::uint64_t fallback,
                                 std::uint64_t max);
/// `true` or `false`; false when absent. Throws Error(kInvalidArgument) on anything else.
bool bool_parameter(const httplib::Request& req, const char* name);
/// Index of the parameter's value among `choices`; 0 when absent. Throws Error(kInvalidArgument) naming them.
std::size_t choice_parameter(const httplib::Request& req, const char* name,
                             std::initializer_list<std::string_view> choices);
/// All values of a parameter that may be repeated.
std::vector<std::string> parameter_values(const httplib::Request& req, const char* name);
/// Throws Error(kInvalidArgument) for a parameter that is not in `known`.
void require_parameters(const httplib::Request& req, std::initializer_list<std::string_view> known);
/// The id in the path. Throws Error(kInvalidArgument).
std::uint64_t path_id(const httplib::Request& req);

/// `pageNum` and `pageSize`.
struct Page {
  std::uint64_t number = 1;
  std::uint64_t size = 100;

  /// Throws Error(kInvalidArgument).
  static Page of(const httplib::Request& req);
  std::uint64_t skip() const { return (number - 1) * size; }
  event::Json json(std::uint64_t total, event::Json list) const {
    return {{"total", total}, {"pageNum", number}, {"pageSize", size}, {"list", std::move(list)}};
  }
  /// The items of this page; none past the end.
  template <class T>
  std::vector<T> cut(const std::vector<T>& all) const {
    if (skip() >= all.size()) return {};
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(skip());
    return {begin, begin + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(size, all.size() - skip()))};
  }
};

/// The service of that name; the only one for an empty name. Throws Error: kInvalidArgument when a name is needed,
/// kNotFound.
const application::Service& find_service(const std::vector<application::Service>& services, const std::string& name);

}  // namespace sse::admin
