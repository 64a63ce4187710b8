#include "net/router.h"

#include <exception>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "net/status_error.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::net {

namespace {

std::string not_found_text(const std::string& path) {
  return "there is nothing at " + printable(path, 100);
}

std::string method_not_allowed_text(const std::string& path, const std::string& allowed, std::string_view method) {
  return printable(path, 100) + " accepts " + allowed + ", not " + std::string(method);
}

std::string path_of(std::string_view target) {
  return percent_decode(target.substr(0, target.find_first_of("?#")));
}

}  // namespace

Router::Router(HttplibApp& app, ErrorWriter write_error) : app_(app), write_error_(std::move(write_error)) {
  app_.set_error_handler([this](const httplib::Request& req, httplib::Response& res) {
    if (res.body.empty()) answer_unrouted(req, res);
  });
  // Handlers are guarded; an exception here comes from httplib itself, whose default handler puts the text into a
  // header.
  app_.set_exception_handler([this](const httplib::Request&, httplib::Response& res, const std::exception_ptr&) {
    write_error_(res, 500, "internal", "the request could not be handled");
  });
}

void Router::get(const std::string& path, Handler handler) {
  app_.Get(add("GET", path), guarded(std::move(handler)));
}

void Router::post(const std::string& path, Handler handler) {
  app_.Post(add("POST", path), guarded(std::move(handler)));
}

void Router::del(const std::string& path, Handler handler) {
  app_.Delete(add("DELETE", path), guarded(std::move(handler)));
}

void Router::options(const std::string& path, Handler handler) {
  app_.Options(PathTemplate(path).regex(), guarded(std::move(handler)));
}

Router::Handler Router::guarded(Handler handler) {
  return [this, handler = std::move(handler)](const httplib::Request& req, httplib::Response& res) {
    run(req, res, [&] { handler(req, res); });
  };
}

std::string Router::add(const char* method, const std::string& path) {
  routes_.push_back({method, PathTemplate(path)});
  return routes_.back().path.regex();
}

std::string Router::allowed_at(const std::string& path) const {
  std::string allowed;
  for (const Route& route : routes_) {
    if (allowed.find(route.method) != std::string::npos || !route.path.matches(path)) continue;
    allowed += (allowed.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
  }
  return allowed;
}

std::optional<HeadRefusal> Router::refuse(std::string_view method, std::string_view target) const {
  if (method == "OPTIONS") return std::nullopt;
  const std::string path = path_of(target);
  const std::string allowed = allowed_at(path);
  if (allowed.empty()) return HeadRefusal{404, not_found_text(path)};
  for (const std::string& one : split_list(allowed)) {
    if (one == method) return std::nullopt;
  }
  return HeadRefusal{405, method_not_allowed_text(path, allowed, method), "Allow: " + allowed + "\r\n"};
}

void Router::run(const httplib::Request& req, httplib::Response& res, const std::function<void()>& handler) const {
  try {
    handler();
  } catch (const StatusError& e) {
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
                 too_large ? "the request body is larger than this server accepts" : "the request is malformed");
    return;
  }
  const std::string allowed = allowed_at(req.path);
  if (allowed.empty()) {
    write_error_(res, 404, "not_found", not_found_text(req.path));
    return;
  }
  res.set_header("Allow", allowed);
  write_error_(res, 405, "invalid_argument", method_not_allowed_text(req.path, allowed, req.method));
}

}  // namespace sse::net
