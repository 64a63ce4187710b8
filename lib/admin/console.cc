#include "admin/console.h"

#include <algorithm>

#include "admin/admin_routes.h"
#include "net/foreign_page.h"
#include "net/representation.h"
#include "web/web.h"

namespace sse::admin {
namespace {

// No frame, form or base, and nothing from elsewhere. Nothing is stored: the next visit gets the page of the server
// that then runs.
constexpr const char* kConsoleHeaders =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Frame-Options: DENY\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cache-Control: no-store\r\n"
    "Vary: Accept-Encoding\r\n";

std::string_view path_of(const net::RequestHead& head) {
  return head.target.substr(0, head.target.find('?'));
}

// Programs put into Host what they like: `unix`, or the path of the socket. A browser cannot be brought to send that by
// a page of the Internet, whose name has a dot.
bool is_of_program(std::string_view host) {
  return host.find('.') == std::string_view::npos || host.find('/') != std::string_view::npos;
}

bool is_way_in(std::string_view path) {
  return path == "/" || path == "/console";
}

}  // namespace

Console::Console(const AdminToken& token, const std::vector<std::string>& allowed_hosts)
    : token_(token), hosts_(allowed_hosts) {
  for (const web::Asset& asset : web::console_assets())
    files_.push_back({asset.path, std::make_unique<web::Resource>(asset.content_type, asset.bytes, kConsoleHeaders)});
}

void Console::add_paths(net::Router& router) const {
  for (const File& file : files_) router.handled_elsewhere(net::PathTemplate::literal(file.path));
  for (const char* path : {"/", "/console"}) router.handled_elsewhere(path);
}

const Console::File* Console::find(std::string_view path) const {
  const auto found = std::ranges::find(files_, path, &File::path);
  return found != files_.end() ? &*found : nullptr;
}

std::optional<net::HeadRefusal> Console::refuse(const net::RequestHead& head) const {
  const std::string_view path = path_of(head);
  const bool file = is_way_in(path) || find(path) != nullptr;
  if (auto refusal = net::refuse_foreign_page(head, file ? net::Links::kAllowed : net::Links::kRefused)) return refusal;
  // With a token, a page under a foreign name learns nothing.
  const std::string_view host = net::header_value(head, "Host");
  if (token_.required() || is_of_program(host) || hosts_.allows(host)) return std::nullopt;
  return net::HeadRefusal{403, net::unknown_host(host)};
}

std::optional<net::Reply> Console::answer(const net::RequestHead& head, bool keep_alive, WallTime now) const {
  if (head.method != "GET" && head.method != "HEAD") return std::nullopt;
  const std::string_view path = path_of(head);
  if (is_way_in(path)) {
    // Relative, for proxies that put a path before it. Browsers keep the fragment.
    return net::short_reply(head, "302 Found", std::string(kConsoleHeaders) + "Location: console/\r\n",
                            "text/plain; charset=utf-8", "the admin console is at console/\n", keep_alive);
  }
  const File* file = find(path);
  if (file == nullptr) return std::nullopt;
  return file->resource->answer(head, "", keep_alive, now);
}

}  // namespace sse::admin
