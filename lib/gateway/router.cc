#include "gateway/router.h"

#include <cctype>
#include <exception>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "gateway/application.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::gateway {

namespace {

std::string nothing_at(const std::string& path) {
  return "there is nothing at " + printable(path, 100);
}

std::string takes_only(const std::string& path, const std::string& allowed, std::string_view method) {
  return printable(path, 100) + " takes " + allowed + ", not " + std::string(method);
}

// As httplib does it: no '+' is a blank in a path.
std::string path_of(std::string_view target) {
  std::string path(target.substr(0, target.find_first_of("?#")));
  for (std::size_t at = path.find('+'); at != std::string::npos; at = path.find('+', at)) path.replace(at, 1, "%2B");
  return url_decode(path);
}

}  // namespace

Router::Router(net::HttplibApp& app, ErrorWriter write_error) : app_(app), write_error_(std::move(write_error)) {
  app_.set_error_handler([this](const httplib::Request& req, httplib::Response& res) {
    if (res.body.empty()) answer_unrouted(req, res);
  });
  // Handlers are guarded; what still arrives here comes from httplib itself. Its own way puts the text into a header.
  app_.set_exception_handler([this](const httplib::Request&, httplib::Response& res, const std::exception_ptr&) {
    write_error_(res, 500, "internal", "the request could not be handled");
  });
}

void Router::get(const std::string& pattern, Handler handler) {
  add("GET", pattern);
  app_.Get(pattern, guarded(std::move(handler)));
}

void Router::post(const std::string& pattern, Handler handler) {
  add("POST", pattern);
  app_.Post(pattern, guarded(std::move(handler)));
}

void Router::del(const std::string& pattern, Handler handler) {
  add("DELETE", pattern);
  app_.Delete(pattern, guarded(std::move(handler)));
}

void Router::options(const std::string& pattern, Handler handler) {
  app_.Options(pattern, guarded(std::move(handler)));
}

std::string Router::literal(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("^$\\.*+?()[]{}|/").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Router::Handler Router::guarded(Handler handler) {
  return [this, handler = std::move(handler)](const httplib::Request& req, httplib::Response& res) {
    run(req, res, [&] { handler(req, res); });
  };
}

// A pattern begins with text that is what it says, with a backslash before what would not be.
void Router::add(const char* method, const std::string& pattern) {
  Route route{method, "", true, std::regex(pattern)};
  for (std::size_t i = 0; i < pattern.size() && route.exact; ++i) {
    const bool escaped = pattern[i] == '\\' && i + 1 < pattern.size() && std::ispunct(pattern[i + 1]) != 0;
    if (!escaped && std::string_view("^$\\.*+?()[]{}|").find(pattern[i]) != std::string_view::npos) {
      route.exact = false;
      // What comes before these is repeated, or one of several.
      if (std::string_view("*+?{|").find(pattern[i]) != std::string_view::npos) route.literal.clear();
      break;
    }
    route.literal += escaped ? pattern[++i] : pattern[i];
  }
  if (pattern.find('|') != std::string::npos && pattern.find('(') > pattern.find('|')) {
    route.literal.clear();
    route.exact = false;
  }
  routes_.push_back(std::move(route));
}

std::string Router::allowed_at(const std::string& path) const {
  std::string allowed;
  for (const Route& route : routes_) {
    if (!path.starts_with(route.literal) || (route.exact && path.size() != route.literal.size())) continue;
    if (allowed.find(route.method) != std::string::npos) continue;
    if (route.exact || std::regex_match(path, route.pattern))
      allowed += (allowed.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
  }
  return allowed;
}

std::optional<net::HeadRefusal> Router::refuse(std::string_view method, std::string_view target) const {
  if (method == "OPTIONS") return std::nullopt;
  const std::string path = path_of(target);
  std::string allowed;
  try {
    allowed = allowed_at(path);
  } catch (const std::regex_error&) {
    return net::HeadRefusal{400, "the path cannot be looked up"};
  }
  if (allowed.empty()) return net::HeadRefusal{404, nothing_at(path)};
  for (const std::string& one : split_list(allowed)) {
    if (one == method) return std::nullopt;
  }
  return net::HeadRefusal{405, takes_only(path, allowed, method), "Allow: " + allowed + "\r\n"};
}

void Router::run(const httplib::Request& req, httplib::Response& res, const std::function<void()>& handler) const {
  try {
    handler();
  } catch (const Refusal& e) {
    write_error_(res, e.status(), std::string(error_name(e.code())), e.what());
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kIo || e.code() == ErrorCode::kInternal) {
      observe::log_error("request failed", {{"path", req.path}, {"error", e.what()}});
    }
    write_error_(res, http_status(e.code()), std::string(error_name(e.code())), e.what());
  } catch (...) {
    observe::note_exception("a request", req.path);
    write_error_(res, 500, "internal", "the request could not be handled; the server's log says why");
  }
  // RFC 9110 §10.2.3
  if (res.status == 503) res.set_header("Retry-After", "5");
}

void Router::answer_unrouted(const httplib::Request& req, httplib::Response& res) const {
  if (res.status == 401) return;  // empty on purpose (PROTOCOL.md)
  if (res.status != 404) {
    const bool too_large = res.status == 413;
    write_error_(res, res.status, too_large ? "too_large" : "invalid_argument",
                 too_large ? "the request body is larger than this server takes" : "the request is malformed");
    return;
  }
  const std::string allowed = allowed_at(req.path);
  if (allowed.empty()) {
    write_error_(res, 404, "not_found", nothing_at(req.path));
    return;
  }
  res.set_header("Allow", allowed);
  write_error_(res, 405, "invalid_argument", takes_only(req.path, allowed, req.method));
}

}  // namespace sse::gateway
