#pragma once

#include <functional>
#include <string>
#include <utility>

#include "application/activity_log.h"
#include "application/application.h"
#include "application/service.h"
#include "net/httplib_app.h"
#include "pages/page_admission.h"

namespace sse::pages {

/// Requests of a page that the application answers: messages and uploads. Each answer is published as an activity
/// event. Thread safe; runs on worker threads and may block as the application does. All throw Error and
/// application::Refusal.
class ApplicationRoutes {
 public:
  /// References must outlive this. `application` may be null: then all requests get 404. `upload_folder` stores uploads
  /// until the application responds. `nameless`: a request that names no user is that of the connection that it names,
  /// if it is of the same origin and address; for demo authentication, where anyone may be any user anyway.
  ApplicationRoutes(const PageAdmission& admission, application::Application* application,
                    application::ActivityLog& activity_log, std::string upload_folder, bool nameless)
      : admission_(admission),
        application_(application),
        activity_log_(activity_log),
        upload_folder_(std::move(upload_folder)),
        nameless_(nameless) {}

  /// `P/connect/message/….do`.
  void message(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;
  /// `P/connect/upload/….do`.
  void upload(const application::Service& service, const httplib::Request& req, httplib::Response& res) const;

 private:
  /// The page's own connection; counts the request. Throws Error(kNotFound). For a message to an application that takes
  /// those of ended streams, too, it may be only the identity of the page.
  hub::ConnectionInfo require_connection(const application::Service& service, const httplib::Request& req,
                                         hub::Hub::Request kind) const;
  /// That of a page which names no user: its owner, if the request comes from where the stream does.
  hub::Identity owner_from_there(const application::Service& service, const httplib::Request& req,
                                 ConnectionId id) const;
  /// Writes the response that `ask` returns or throws, and publishes its status as an activity event.
  void answer_page(application::ActivityEvent::Type type, const application::ApplicationRequest& request,
                   httplib::Response& res, const std::function<application::Answer()>& ask) const;

  const PageAdmission& admission_;
  application::Application* const application_;
  application::ActivityLog& activity_log_;
  const std::string upload_folder_;
  const bool nameless_;
};

}  // namespace sse::pages
