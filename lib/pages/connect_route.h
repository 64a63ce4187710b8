#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "application/application.h"
#include "application/service.h"
#include "net/httplib_app.h"
#include "pages/canary_entry.h"
#include "pages/channel_gate.h"
#include "pages/connect_refusals.h"
#include "pages/page_admission.h"

namespace sse::pages {

/// Opens streams: `P/connect` of a service. Thread safe; runs on worker threads and may block as the authenticator and
/// the application do.
class ConnectRoute {
 public:
  /// References must outlive this. `application` may be null. `keepalive`: overrides the client's keepaliveTime.
  /// `draining`: while true, streams are refused with 503. `canary` null: streams of canaries are refused.
  ConnectRoute(const PageAdmission& admission, ConnectRefusals& refusals, ChannelGate& channels,
               application::Application* application, std::optional<std::chrono::milliseconds> keepalive,
               const std::atomic<bool>& draining, CanaryEntry* canary = nullptr)
      : admission_(admission),
        refusals_(refusals),
        channels_(channels),
        application_(application),
        keepalive_(keepalive),
        draining_(draining),
        canary_(canary) {}

  /// A request with kCanaryHeader is for the CanaryEntry. Of any other, authenticates the sender, reads the parameters,
  /// asks the application, decides about the channels, redeems the ticket if there is one, and hands the socket over to
  /// the hub. HEAD does the same, opens nothing and leaves the ticket: an EventSource does not tell its page why it was
  /// refused. Throws Error and application::Refusal.
  void connect(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;

 private:
  // `refusal`: is completed as far as the request gets; without a reason it is not recorded.
  void open_canary(const std::string& secret, const httplib::Request& req, httplib::Response& res,
                   ConnectRefusal& refusal) const;
  void open(const application::Service& service, const httplib::Request& req, httplib::Response& res,
            ConnectRefusal& refusal) const;
  /// Uses the ticket up, and gives the connection its request key; false if another stream has the ticket.
  bool redeem(const application::Service& service, const std::string& ticket, hub::NewConnection& new_connection) const;
  /// Calls the application's on_connect(); throws if the application refuses the stream. Returns the channels that it
  /// puts the stream into; it may also have changed `channels`.
  ChannelGate::Placed call_on_connect(const application::Service& service, const httplib::Request& req,
                                      hub::NewConnection& new_connection,
                                      std::vector<RequestedChannel>& channels) const;

  const PageAdmission& admission_;
  ConnectRefusals& refusals_;
  ChannelGate& channels_;
  application::Application* const application_;
  const std::optional<std::chrono::milliseconds> keepalive_;
  const std::atomic<bool>& draining_;
  CanaryEntry* const canary_;
};

}  // namespace sse::pages
