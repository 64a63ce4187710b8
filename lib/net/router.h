#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "net/path_template.h"

namespace sse::net {

/// Largest body of a request whose body is ignored: it is read, so that the connection can be kept alive.
inline constexpr ByteCount kMaxIgnoredBody = kibibytes(4);
/// Largest body of a request that lists connections, users or similar names.
inline constexpr ByteCount kMaxNamesBody = mebibytes(4);

/// Routes on an HttplibApp with common error reporting: handlers throw sse::Error, and known paths answer other methods
/// with 405 (RFC 9110 §15.5.6). Register routes before serving.
class Router {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  /// Writes the status and body of an error into the response.
  using ErrorWriter =
      std::function<void(httplib::Response&, int status, const std::string& code, const std::string& sentence)>;

  Router(HttplibApp& app, ErrorWriter write_error);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// `path`: a PathTemplate; the values of its variable parts are in Request::matches.
  void get(const std::string& path, Handler handler);
  void post(const std::string& path, Handler handler);
  void del(const std::string& path, Handler handler);
  /// A GET that is answered outside of the router: other methods get 405.
  void handled_elsewhere(const std::string& path) { add("GET", path); }
  /// For preflight requests of whole subtrees; such a template does not make a path known.
  void options(const std::string& path, Handler handler);
  /// The refusal of a request that no route handles; nullopt when one does, and for OPTIONS. `target`: path and query
  /// as received. Thread safe, and quick enough for a loop thread.
  std::optional<HeadRefusal> refuse(std::string_view method, std::string_view target) const;

 private:
  Handler guarded(Handler handler);
  void run(const httplib::Request& req, httplib::Response& res, const std::function<void()>& handler) const;
  void answer_unrouted(const httplib::Request& req, httplib::Response& res) const;

  struct Route {
    std::string method;
    PathTemplate path;
  };

  /// Returns the regular expression for HttplibApp.
  std::string add(const char* method, const std::string& path);
  std::string allowed_at(const std::string& path) const;

  HttplibApp& app_;
  const ErrorWriter write_error_;
  std::vector<Route> routes_;
};

}  // namespace sse::net
