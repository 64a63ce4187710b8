#pragma once

#include "application/application.h"
#include "application/service.h"
#include "net/httplib_app.h"
#include "pages/channel_gate.h"
#include "pages/page_admission.h"

namespace sse::pages {

/// Requests of a page for the channels of its open stream. A connection of another user gets the same response as an
/// unknown one. Thread safe; runs on worker threads and may block as the application does. All throw Error and
/// application::Refusal.
class SubscriptionRoutes {
 public:
  /// References must outlive this. `application` may be null.
  SubscriptionRoutes(const PageAdmission& admission, ChannelGate& channels, application::Application* application)
      : admission_(admission), channels_(channels), application_(application) {}

  /// `P/connect/subscribe.do`: the stream joins those of the channels that it may. 200 with a result for each; 403 with
  /// the same if all are refused.
  void subscribe(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;
  /// `P/connect/unsubscribe.do`: it leaves channels.
  void unsubscribe(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;

 private:
  const PageAdmission& admission_;
  ChannelGate& channels_;
  application::Application* const application_;
};

}  // namespace sse::pages
