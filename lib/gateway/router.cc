#include "gateway/router.h"

#include <exception>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "gateway/application.h"
#include "observe/log.h"

namespace sse::gateway {

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
  routes_.push_back({"GET", std::regex(pattern)});
  app_.Get(pattern, guarded(std::move(handler)));
}

void Router::post(const std::string& pattern, Handler handler) {
  routes_.push_back({"POST", std::regex(pattern)});
  app_.Post(pattern, guarded(std::move(handler)));
}

void Router::post_reading(const std::string& pattern, ReadingHandler handler) {
  routes_.push_back({"POST", std::regex(pattern)});
  app_.Post(pattern, [this, handler = std::move(handler)](const httplib::Request& req, httplib::Response& res,
                                                          const httplib::ContentReader& reader) {
    run(req, res, [&] { handler(req, res, reader); });
  });
}

void Router::del(const std::string& pattern, Handler handler) {
  routes_.push_back({"DELETE", std::regex(pattern)});
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
  } catch (const std::exception& e) {
    observe::log_error("request failed", {{"path", req.path}, {"error", e.what()}});
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
  std::string allowed;
  for (const Route& route : routes_) {
    if (std::regex_match(req.path, route.pattern) && allowed.find(route.method) == std::string::npos) {
      allowed += (allowed.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
    }
  }
  if (allowed.empty()) {
    write_error_(res, 404, "not_found", "there is nothing at " + printable(req.path, 100));
    return;
  }
  res.set_header("Allow", allowed);
  write_error_(res, 405, "invalid_argument", printable(req.path, 100) + " takes " + allowed + ", not " + req.method);
}

}  // namespace sse::gateway
