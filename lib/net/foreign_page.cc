#include "net/foreign_page.h"

#include <string>
#include <string_view>

#include "base/text.h"

namespace sse::net {
namespace {

bool is_link(const RequestHead& head) {
  return (head.method == "GET" || head.method == "HEAD") && header_value(head, "Sec-Fetch-Mode") == "navigate" &&
         header_value(head, "Sec-Fetch-Dest") == "document";
}

// The scheme is not compared: a proxy may have ended TLS.
bool names_host(std::string_view origin, std::string_view host) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && to_lower(origin.substr(scheme + 3)) == to_lower(host);
}

}  // namespace

std::optional<HeadRefusal> refuse_foreign_page(const RequestHead& head, Links links) {
  const std::string_view site = header_value(head, "Sec-Fetch-Site");
  const std::string_view origin = header_value(head, "Origin");
  bool foreign = false;
  if (!site.empty()) {
    foreign = site != "same-origin" && site != "none" && (links == Links::kRefused || !is_link(head));
  } else if (!origin.empty()) {
    foreign = !names_host(origin, header_value(head, "Host"));
  }
  if (!foreign) return std::nullopt;
  const std::string page = origin.empty() ? "another origin" : "the origin '" + printable(origin, 80) + "'";
  return HeadRefusal{403, "pages of " + page + " may not use this listener; a proxy in front of it must pass Host on"};
}

}  // namespace sse::net
