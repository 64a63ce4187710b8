#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "event/json.h"
#include "gateway/authenticator.h"
#include "hub/hub.h"

namespace sse::gateway {

/// A page that wants a stream; the application may fill in more before it gets one.
struct ConnectRequest {
  const ServiceName& service;
  ConnectionId id;                  ///< the stream's, if it comes to be
  const hub::Identity& identity;    ///< as the authentication said
  const hub::NewConnection& asked;  ///< what else is known: parameters, address, listeners
  std::string& profile;             ///< JSON text of what is known of the user; may be replaced
  std::string& channel;             ///< that it joins; may be replaced
  std::vector<std::pair<std::string, std::string>>& attributes;  ///< more parameters of the connection; may be added
};

/// What an application is told of a page's request.
struct ApplicationRequest {
  const ServiceName& service;
  hub::Hub& hub;
  const hub::ConnectionInfo& connection;  ///< of the page that asks
  const std::string& path;                ///< `hello` of `message/hello.do`
};

/// One file of an upload, in a temporary file that is deleted when on_upload() has returned; it may be moved away.
struct UploadedFile {
  std::string field;
  std::string filename;  ///< as the page put it: never to be used as a path
  std::string content_type;
  ByteCount size;
  std::string path;
};

struct Upload {
  event::Json fields = event::Json::object();  ///< form fields that are no files: names and texts
  std::vector<UploadedFile> files;
};

/// What a page is answered: wrapped as PROTOCOL.md says.
struct Answer {
  Answer(event::Json with) : data(std::move(with)) {}  // NOLINT(google-explicit-constructor): data is the usual answer
  Answer(int code, event::Json with, std::string sentence)
      : status(code), data(std::move(with)), error(std::move(sentence)) {}

  int status = 200;  ///< from 400 on: not a success
  event::Json data;
  std::string error{};  ///< for people, with a status that is no success
};

/// Thrown by an application to give the page a status of its choice.
class Refusal : public Error {
 public:
  /// `status`: 400 to 599.
  Refusal(int status, const std::string& sentence) : Error(ErrorCode::kPermissionDenied, sentence), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

/// The application behind the pages: decides who may connect, answers what pages send. Thread safe; runs on worker
/// threads and may block: connects, and messages and uploads, have their own, which keep no stream and no other request
/// waiting. An Error it throws becomes the page's answer.
class Application {
 public:
  virtual ~Application() = default;
  /// False: on_connect() lets everybody in and is not called.
  virtual bool decides_connects() const { return false; }
  /// Returns when the page may have its stream; throws Refusal or another Error otherwise. Every connection that was
  /// let in ends with one kDisconnect happening.
  virtual void on_connect(ConnectRequest& /*request*/) {}
  /// `message`: body and query merged.
  virtual Answer on_message(const ApplicationRequest& request, const event::Json& message) = 0;
  virtual Answer on_upload(const ApplicationRequest& request, const Upload& upload) = 0;
};

/// The demo's: `message/close.do` closes the page's connection from the server's side; everything else is logged (names
/// and sizes, never contents) and answered with what came in.
std::unique_ptr<Application> make_demo_application();

}  // namespace sse::gateway
