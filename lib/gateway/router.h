#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gateway/path_template.h"
#include "net/http_front.h"
#include "net/httplib_app.h"

namespace sse::gateway {

/// Of a request whose body means nothing: it is read, so that the connection may go on.
inline constexpr ByteCount kMaxIgnoredBody = kibibytes(4);
/// Largest body of a request that names connections, users or others.
inline constexpr ByteCount kMaxNamesBody = mebibytes(4);

/// Routes on an HttplibApp with one way to report errors: handlers throw sse::Error, and paths that exist answer other
/// methods with 405 (RFC 9110 §15.5.6). Register before serving.
class Router {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  /// Writes status and body of an error into the response.
  using ErrorWriter =
      std::function<void(httplib::Response&, int status, const std::string& code, const std::string& sentence)>;

  Router(net::HttplibApp& app, ErrorWriter write_error);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// `path`: a PathTemplate; what its variable parts matched is in Request::matches.
  void get(const std::string& path, Handler handler);
  void post(const std::string& path, Handler handler);
  void del(const std::string& path, Handler handler);
  /// A GET that is answered elsewhere: other methods get 405.
  void answered_elsewhere(const std::string& path) { add("GET", path); }
  /// A template here does not make a path exist: for preflight requests of whole subtrees.
  void options(const std::string& path, Handler handler);
  /// Why no route takes such a request; nullopt where one does, and for OPTIONS. `target`: path and query as they came.
  /// Thread safe, and quick enough for a loop thread.
  std::optional<net::HeadRefusal> refuse(std::string_view method, std::string_view target) const;

 private:
  Handler guarded(Handler handler);
  void run(const httplib::Request& req, httplib::Response& res, const std::function<void()>& handler) const;
  void answer_unrouted(const httplib::Request& req, httplib::Response& res) const;

  struct Route {
    std::string method;
    PathTemplate path;
  };

  /// Returns the regular expression that HttplibApp takes.
  std::string add(const char* method, const std::string& path);
  std::string allowed_at(const std::string& path) const;

  net::HttplibApp& app_;
  const ErrorWriter write_error_;
  std::vector<Route> routes_;
};

}  // namespace sse::gateway
