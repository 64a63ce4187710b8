#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// HTTP requests and responses as text, for code that forwards them instead of handling them.
namespace sse::cluster {

struct RawRequest {
  std::string method;
  std::string path;                                          ///< without the query, as received
  std::vector<std::pair<std::string, std::string>> query;    ///< decoded
  std::vector<std::pair<std::string, std::string>> headers;  ///< names as received
  std::string body;

  /// Parses the output of net::normalized_request(); the method is empty if the text is anything else.
  static RawRequest parse(std::string_view text);
  /// Inverse of parse().
  std::string text() const;

  /// The first header of that name, case-insensitive; empty when absent.
  std::string header(std::string_view name) const;
  void set_header(const std::string& name, const std::string& value);
  void remove_header(std::string_view name);
  /// The first query parameter of that name; empty when absent.
  std::string parameter(std::string_view name) const;
  void set_parameter(const std::string& name, const std::string& value);
};

struct RawResponse {
  int status = 0;  ///< 0: the text was not a response
  std::string type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< as received, Content-Type included

  /// Empty when absent.
  std::string header(std::string_view name) const;
  /// Parses a response with Content-Length, as httplib writes it.
  static RawResponse parse(std::string_view text);
  std::string text() const;
};

}  // namespace sse::cluster
