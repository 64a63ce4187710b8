#include "cluster/core/raw_http.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "base/url.h"
#include "net/reason_phrase.h"
#include "net/request_head.h"

namespace sse::cluster {
namespace {

std::vector<std::pair<std::string, std::string>> header_lines(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> headers;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    if (const std::size_t colon = line.find(':'); colon != std::string_view::npos)
      headers.emplace_back(line.substr(0, colon), trim_blanks(line.substr(colon + 1)));
  }
  return headers;
}

bool same_name(const std::string& a, std::string_view b) {
  return to_lower(a) == to_lower(b);
}

std::string value_of(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  const auto found = std::ranges::find_if(headers, [&](const auto& one) { return same_name(one.first, name); });
  return found == headers.end() ? std::string() : found->second;
}

}  // namespace

RawRequest RawRequest::parse(std::string_view text) {
  std::size_t scanned = 0;
  const net::HeadScan scan = net::scan_head(text, scanned);
  if (scan.status != net::HeadScan::Status::kComplete) return {};
  RawRequest request;
  request.method = scan.head.method;
  request.path = scan.head.target.substr(0, scan.head.target.find('?'));
  request.query = form_parameters(query_of(scan.head.target));
  request.headers = header_lines(scan.head.headers);
  request.body = text.substr(scan.head.size);
  return request;
}

std::string RawRequest::text() const {
  std::string out = method + ' ' + path;
  if (!query.empty()) out += '?' + form_encode(query);
  out += " HTTP/1.1\r\n";
  for (const auto& [name, value] : headers) {
    if (!same_name(name, "Content-Length")) out += name + ": " + value + "\r\n";
  }
  if (method != "GET" && method != "HEAD") out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + body;
}

std::string RawRequest::header(std::string_view name) const {
  return value_of(headers, name);
}

void RawRequest::remove_header(std::string_view name) {
  std::erase_if(headers, [&](const auto& one) { return same_name(one.first, name); });
}

void RawRequest::set_header(const std::string& name, const std::string& value) {
  remove_header(name);
  headers.emplace_back(name, value);
}

std::string RawRequest::parameter(std::string_view name) const {
  const auto found = std::ranges::find_if(query, [&](const auto& one) { return one.first == name; });
  return found == query.end() ? std::string() : found->second;
}

void RawRequest::set_parameter(const std::string& name, const std::string& value) {
  std::erase_if(query, [&](const auto& one) { return one.first == name; });
  query.emplace_back(name, value);
}

RawResponse RawResponse::parse(std::string_view text) {
  RawResponse response;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || !text.starts_with("HTTP/1.1 ") || text.size() < 12) return response;
  const std::string_view code = text.substr(9, 3);
  const auto [stop, error] = std::from_chars(code.data(), code.data() + code.size(), response.status);
  if (error != std::errc{} || stop != code.data() + code.size()) return {};
  response.headers = header_lines(text.substr(0, end));
  for (const auto& [name, value] : response.headers) {
    if (same_name(name, "Content-Type")) response.type = value;
  }
  response.body = text.substr(end + 4);
  return response;
}

std::string RawResponse::header(std::string_view name) const {
  return value_of(headers, name);
}

std::string RawResponse::text() const {
  std::string out = "HTTP/1.1 " + std::to_string(status) + ' ' + net::reason_phrase(status) +
                    "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const auto& [name, value] : headers) {
    const std::string lower = to_lower(name);
    // Skip hop-by-hop headers, and those that text() writes itself.
    if (lower != "content-type" && lower != "content-length" && lower != "connection" && lower != "keep-alive")
      out += name + ": " + value + "\r\n";
  }
  return out + "\r\n" + body;
}

}  // namespace sse::cluster
