#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "application/application.h"
#include "application/service.h"
#include "auth/publish_access.h"
#include "base/clock.h"
#include "base/units.h"
#include "event/json.h"
#include "net/httplib_app.h"
#include "observe/metrics.h"
#include "pages/page_admission.h"
#include "pages/publish_limiter.h"

namespace sse::pages {

/// How pages may publish.
struct PublishOptions {
  const auth::PublishAccess* access = nullptr;  ///< must outlive the routes; null: no page may
  std::size_t rate = 10;                        ///< events a second of one stream; 0: no limit
  ByteCount max_data = kibibytes(16);           ///< of the data of an event, as JSON text
};

/// `P/connect/publish.do`: a page publishes an event to a channel, as the user of its open stream. Credentials, a rule
/// or the application must allow it (auth::PublishAccess). The streams in the channel, on all nodes, get it with the
/// data `{"from":{"user":…,"tenant":…},"data":…}`: who published it is what the server knows, and no page can send what
/// looks like an event of the application.
///
/// The request is JSON, so that no form of another site can send it, and each stream may send a limited number of
/// them. Refusals are counted in `sse_publications_refused_total`, by reason and rule. Thread safe; runs on worker
/// threads and may block as the application does.
class PublishRoutes {
 public:
  /// References must outlive this. `application` may be null.
  PublishRoutes(const PageAdmission& admission, application::Application* application, observe::Registry& metrics,
                const Clock& clock, const PublishOptions& options)
      : admission_(admission),
        application_(application),
        metrics_(metrics),
        options_(options),
        limiter_(options.rate, clock) {}

  /// Throws Error and application::Refusal. A connection of another user gets the same response as an unknown one.
  void publish(const application::Service& service, const httplib::Request& req, httplib::Response& res);

 private:
  struct Publication;
  struct Refused;

  Publication read(const event::Json& body) const;
  // Nullopt: the page may publish it.
  std::optional<Refused> refusal_of(const ServiceName& service, const auth::User& user,
                                    const hub::ConnectionInfo& connection, const Publication& publication) const;
  void refuse(const ServiceName& service, const Refused& refused, httplib::Response& res) const;
  void count(const ServiceName& service, std::string_view reason, const std::string& rule) const;
  observe::Counter& published(const ServiceName& service) const;

  const PageAdmission& admission_;
  application::Application* const application_;
  observe::Registry& metrics_;
  const PublishOptions options_;
  PublishLimiter limiter_;
};

/// Whether a page may give an event this name: not one that the server or an EventSource gives a meaning of its own.
bool is_publishable_event(std::string_view name);

}  // namespace sse::pages
