#include "support/client.h"

#include <cstdlib>
#include <system_error>

#include "base/text.h"

namespace sse::testing {

HttpResponse take_response(std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos || !bytes.starts_with("HTTP/1.1 ")) return {};
  HttpResponse response;
  std::size_t line = bytes.find("\r\n") + 2;
  while (line < end) {
    const std::size_t next = bytes.find("\r\n", line);
    const std::size_t colon = bytes.find(':', line);
    const std::size_t value = bytes.find_first_not_of(' ', colon + 1);
    response.headers[to_lower(bytes.substr(line, colon - line))] = bytes.substr(value, next - value);
    line = next + 2;
  }
  const auto length = response.headers.find("content-length");
  const std::size_t size = length == response.headers.end() ? 0 : std::strtoul(length->second.c_str(), nullptr, 10);
  if (bytes.size() < end + 4 + size) return {};
  response.status = std::atoi(bytes.c_str() + 9);
  response.body = bytes.substr(end + 4, size);
  bytes.erase(0, end + 4 + size);
  return response;
}

HttpResponse HttpClient::request(const std::string& method, const std::string& target, std::string_view body,
                                 const std::string& type) {
  std::string head = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
  if (method != "GET") head += "Content-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  head += "\r\n";
  head += body;
  if (!fd_.valid()) {
    received_.clear();
    try {
      fd_ = connect_to(endpoint_);
    } catch (const std::system_error&) {
      return {};
    }
  }
  HttpResponse response;
  // Also when not all could be written: a server may answer a body it does not want before the body's end.
  write_all(fd_.get(), head);
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  do {
    response = take_response(received_);
  } while (response.status == 0 && read_some(fd_.get(), received_, deadline) > 0);
  if (response.status == 0 || response.headers["connection"] == "close") fd_.reset();
  return response;
}

}  // namespace sse::testing
