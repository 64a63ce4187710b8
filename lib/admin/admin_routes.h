#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/channel_routes.h"
#include "admin/console.h"
#include "admin/dead_letter_routes.h"
#include "admin/duration_routes.h"
#include "admin/export_routes.h"
#include "admin/message_routes.h"
#include "admin/node_routes.h"
#include "admin/presence_routes.h"
#include "admin/send_routes.h"
#include "api/types.h"
#include "application/service.h"
#include "auth/tickets.h"
#include "base/mutex.h"
#include "net/router.h"
#include "observe/metrics.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"

namespace sse::admin {

/// The bearer token of a TCP admin listener. Thread safe.
class AdminToken {
 public:
  /// Empty: no token is required.
  void set(std::string token) EXCLUDES(mutex_);
  bool required() const EXCLUDES(mutex_);
  /// True when no token is set or the Authorization header carries it (RFC 6750 §2.1).
  bool accepts(const std::string& authorization) const EXCLUDES(mutex_);
  /// The Authorization header with the token; empty if none is required.
  std::string authorization() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::string token_ GUARDED_BY(mutex_);
};

/// Registers and handles the routes of the admin API, which openapi.json describes.
class AdminRoutes {
 public:
  struct Dependencies {
    const std::vector<application::Service>& services;
    store::MessageCatalog& catalog;
    store::DeadLetters& dead;
    observe::Registry& metrics;
    const AdminToken& token;
    std::string server_id;
    std::function<event::Json()> status;
    std::function<bool()> ready;
    NodeRoutes::Dependencies nodes{};
    std::function<void()> expire{};  ///< see MessageStores
    ChannelRoutes::Dependencies channels{};
    auth::Tickets* tickets = nullptr;          ///< null: no route for tickets
    std::vector<std::string> allowed_hosts{};  ///< see Console
  };

  /// Registers all routes on `app`. The dependencies must outlive it.
  AdminRoutes(net::HttplibApp& app, Dependencies dependencies);

  /// Plans a request from its head: refuses pages of other origins and, if the request has a body, one without the
  /// token or for an unknown path, and limits its body. Thread safe; does not block.
  void decide(const net::RequestHead& head, net::RequestPlan& plan) const;
  /// For FrontOptions::refusal: a problem document.
  static net::RefusalText refusal(const net::RequestHead& head, int status, const std::string& sentence);

  const Console& console() const { return console_; }
  /// For routes defined in other files.
  net::Router& router() { return router_; }

 private:
  void show_connection(const httplib::Request& req, httplib::Response& res);
  void change_connection(const httplib::Request& req, httplib::Response& res);
  // What `find` returns for the connection in the path, of the service where it is.
  void write_connection(const httplib::Request& req, httplib::Response& res,
                        const std::function<std::optional<hub::ConnectionInfo>(hub::Hub&, ConnectionId)>& find) const;
  void close_connections(const httplib::Request& req, httplib::Response& res);
  void create_ticket(const httplib::Request& req, httplib::Response& res);
  const application::Service& service(const std::string& name) const;

  Dependencies deps_;
  const Console console_;
  net::Router router_;
  PresenceRoutes presence_;
  ChannelRoutes channels_;
  DurationRoutes durations_;
  SendRoutes sends_;
  MessageRoutes messages_;
  ExportRoutes exports_;
  DeadLetterRoutes dead_letters_;
  NodeRoutes node_routes_;
};

}  // namespace sse::admin
