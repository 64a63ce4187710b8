#pragma once

#include "application/service.h"
#include "net/httplib_app.h"
#include "pages/page_admission.h"

namespace sse::pages {

/// Requests of a page about its own connection: listeners, acknowledgements and the end of the stream. A connection of
/// another user gets the same response as an unknown one. Thread safe; runs on worker threads. All throw Error.
class ConnectionRoutes {
 public:
  /// `admission` must outlive this.
  explicit ConnectionRoutes(const PageAdmission& admission) : admission_(admission) {}

  /// `P/connect/addListener.do`.
  void add_listeners(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;
  /// `P/connect/removeListener.do`.
  void remove_listeners(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;
  /// `P/connect/ack.do`: confirms messages that arrived.
  void acknowledge(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;
  /// `P/connect/disconnect.do`, which pages send as a beacon.
  void disconnect(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;

 private:
  void change_listeners(const application::Service& service, const httplib::Request& req, httplib::Response& res,
                        bool add) const;

  const PageAdmission& admission_;
};

}  // namespace sse::pages
