#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Requests and responses as text, for those who pass them on instead of handling them.
namespace sse::cluster {

struct RawRequest {
  std::string method;
  std::string path;                                          ///< without the query, as it came
  std::vector<std::pair<std::string, std::string>> query;    ///< decoded
  std::vector<std::pair<std::string, std::string>> headers;  ///< names as they came
  std::string body;

  /// Reads what net::normalized_request() writes; an empty method for anything else.
  static RawRequest parse(std::string_view text);
  /// Inverse of parse().
  std::string text() const;

  /// The first of that name, whatever its case; empty when absent.
  std::string header(std::string_view name) const;
  void set_header(const std::string& name, const std::string& value);
  void remove_header(std::string_view name);
  /// The first of that name; empty when absent.
  std::string parameter(std::string_view name) const;
  void set_parameter(const std::string& name, const std::string& value);
};

struct RawResponse {
  int status = 0;  ///< 0: that was no response
  std::string type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< as read, that of the type among them

  /// Empty when absent.
  std::string header(std::string_view name) const;
  /// Reads a response with a length, such as httplib writes.
  static RawResponse parse(std::string_view text);
  std::string text() const;
};

}  // namespace sse::cluster
