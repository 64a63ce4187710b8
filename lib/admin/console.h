#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/allowed_hosts.h"
#include "net/front_options.h"
#include "net/reply.h"
#include "net/request_head.h"
#include "net/router.h"
#include "web/resource.h"

namespace sse::admin {

class AdminToken;

/// The admin console, and what keeps other pages in the operator's browser away from the admin listener.
///
/// The console is a page over the admin API alone. Its files contain no data and need no token; the page takes the
/// token from the fragment of its URL, which browsers do not send, and keeps it in memory. A unix socket that was
/// forwarded to a port of the operator's machine has no token at all: there only the checks of Host and of the origin
/// tell the console from a page that the operator visits. They apply to all requests. Thread safe.
class Console {
 public:
  /// `token` must outlive this. `allowed_hosts`: --allowed-host.
  Console(const AdminToken& token, const std::vector<std::string>& allowed_hosts);

  /// Makes the paths of the files known, so that other methods get 405.
  void add_paths(net::Router& router) const;
  /// The refusal of a request that a page of another origin sent, or, where no token is required, to a Host that may be
  /// another's. nullopt for all others.
  std::optional<net::HeadRefusal> refuse(const net::RequestHead& head) const;
  /// The response to a GET or HEAD for a file of the console; nullopt for other requests.
  std::optional<net::Reply> answer(const net::RequestHead& head, bool keep_alive, WallTime now) const;

 private:
  struct File {
    std::string_view path;
    std::unique_ptr<web::Resource> resource;
  };
  const File* find(std::string_view path) const;

  const AdminToken& token_;
  const net::AllowedHosts hosts_;
  std::vector<File> files_;
};

}  // namespace sse::admin
