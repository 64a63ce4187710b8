#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/authenticator.h"
#include "base/error.h"
#include "base/trace_context.h"
#include "base/units.h"
#include "delivery/sender.h"
#include "event/json.h"
#include "hub/hub.h"
#include "sse-server/callbacks.h"
#include "sse-server/error.h"

namespace sse::application {

using sse::ConnectRequest;
using sse::PublishRequest;
using sse::QueryRequest;
using sse::RequestedChannel;
using sse::SubscribeRequest;

/// The context of a page's message or upload.
struct ApplicationRequest {
  const ServiceName& service;
  delivery::Sender& sender;
  const hub::ConnectionInfo& connection;  ///< the page's connection
  const std::string& path;                ///< `hello` of `message/hello.do`
  TraceHeaders trace{};                   ///< of the page's request
};

using sse::UploadedFile;

struct Upload {
  event::Json fields = event::Json::object();  ///< form fields other than files: names and texts
  std::vector<UploadedFile> files;
};

/// The answer to a page, wrapped as PROTOCOL.md says.
struct Answer {
  Answer(event::Json with) : data(std::move(with)) {}  // NOLINT(google-explicit-constructor): data is the usual answer
  Answer(int code, event::Json with, std::string sentence)
      : status(code), data(std::move(with)), error(std::move(sentence)) {}

  int status = 200;  ///< 400 and above: an error
  event::Json data;
  std::string error{};                                         ///< message for users, with an error status
  std::vector<std::pair<std::string, std::string>> headers{};  ///< of the response, besides those of every answer
};

using sse::Refusal;

/// The application behind the pages: decides which pages may connect, and answers their messages and uploads. Thread
/// safe; runs on worker threads and may block. Connects have their own threads, as have messages and uploads, so that
/// blocking delays no stream and no other request. An Error it throws becomes the page's answer.
class Application {
 public:
  virtual ~Application() = default;
  /// False: every page may connect, and on_connect() is not called.
  virtual bool decides_connects() const { return false; }
  /// Returns when the page may have its stream; throws Refusal or another Error otherwise. Every accepted connection
  /// ends with one kDisconnect activity event.
  virtual void on_connect(ConnectRequest& /*request*/) {}
  /// Changes the rights of further channels of an open stream. Throws Refusal or another Error if it has no answer.
  virtual void on_subscribe(SubscribeRequest& /*request*/) {}
  /// False: on_publish() is not called, and no rule may leave publications to the application.
  virtual bool decides_publications() const { return false; }
  /// Returns when the page may publish the event; throws Refusal or another Error otherwise.
  virtual void on_publish(const PublishRequest& /*request*/) {}
  /// Whether the user may read a list that pages may query: `users`, `connections` or `repositoryMessages`.
  virtual bool may_query(const QueryRequest& /*request*/) { return true; }
  /// True: on_message() is also called for messages of a page whose stream has just ended. Then the connection has an
  /// identity, but no id.
  virtual bool takes_messages_of_ended_streams() const { return false; }
  /// `message`: the request's body and query, merged.
  virtual Answer on_message(const ApplicationRequest& request, const event::Json& message) = 0;
  virtual Answer on_upload(const ApplicationRequest& request, const Upload& upload) = 0;
};

/// The demo application: `message/close.do` closes the page's connection from the server. `message/publish.do` sends
/// what its field `send` asks for, as the admin API does (target, event, data and qos); only if `publishes`, which is
/// for servers where a page may be any user anyway. All other requests are answered with their own content. Requests
/// are logged: names and sizes, never contents.
std::unique_ptr<Application> make_demo_application(bool publishes);

}  // namespace sse::application
