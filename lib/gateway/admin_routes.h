#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/types.h"
#include "base/mutex.h"
#include "delivery/dead_letters.h"
#include "delivery/message_repository.h"
#include "gateway/duration_routes.h"
#include "gateway/message_routes.h"
#include "gateway/node_routes.h"
#include "gateway/page_routes.h"
#include "gateway/presence_routes.h"
#include "gateway/router.h"
#include "observe/metrics.h"

namespace sse::gateway {

/// The bearer token of a TCP admin listener. Thread safe.
class AdminToken {
 public:
  /// Empty: none is asked for.
  void set(std::string token) EXCLUDES(mutex_);
  /// True when no token is set or the Authorization header carries it (RFC 6750 §2.1).
  bool accepts(const std::string& authorization) const EXCLUDES(mutex_);
  /// The header that carries it; empty where none is asked for.
  std::string authorization() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::string token_ GUARDED_BY(mutex_);
};

/// The admin API as openapi.json describes it.
class AdminRoutes {
 public:
  struct Dependencies {
    const std::vector<Service>& services;
    delivery::MessageCatalog& catalog;
    delivery::DeadLetters& dead;
    observe::Registry& metrics;
    const AdminToken& token;
    std::string server_id;
    std::function<event::Json()> status;
    std::function<bool()> ready;
    NodeRoutes::Dependencies nodes{};
    std::function<void()> expire{};  ///< see MessageRoutes::Stores
  };

  /// Registers all routes on `app`. What the dependencies refer to must outlive it.
  AdminRoutes(net::HttplibApp& app, Dependencies dependencies);

  /// What the head of a request with a body decides: whether it carries the token, and whether there is such a path.
  /// Thread safe; does not block.
  void decide(const net::RequestHead& head, net::RequestPlan& plan) const;
  /// As FrontOptions::refusal: a problem document.
  static net::RefusalText refusal(const net::RequestHead& head, int status, const std::string& sentence);

  /// For routes of other files.
  Router& router() { return router_; }

 private:
  void show_connection(const httplib::Request& req, httplib::Response& res);
  void close_connections(const httplib::Request& req, httplib::Response& res);
  const Service& service(const std::string& name) const;

  Dependencies deps_;
  Router router_;
  PresenceRoutes presence_;
  DurationRoutes durations_;
  MessageRoutes messages_;
  NodeRoutes node_routes_;
};

}  // namespace sse::gateway
