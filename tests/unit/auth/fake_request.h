#pragma once

#include <map>
#include <string>

#include "auth/authenticator.h"

namespace sse::auth {

/// A page's request with the headers and parameters that a test gives it.
struct FakeRequest final : PageRequest {
  std::string header(const std::string& name) const override { return find(headers, name); }
  std::string parameter(const std::string& name) const override { return find(parameters, name); }
  std::string address() const override { return "192.0.2.1"; }
  bool from_trusted_proxy() const override { return trusted; }

  std::map<std::string, std::string> headers;
  std::map<std::string, std::string> parameters;
  bool trusted = false;

 private:
  static std::string find(const std::map<std::string, std::string>& map, const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? "" : found->second;
  }
};

}  // namespace sse::auth
