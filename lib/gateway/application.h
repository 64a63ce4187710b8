#pragma once

#include <memory>
#include <string>
#include <vector>

#include "event/json.h"
#include "hub/hub.h"

namespace sse::gateway {

/// What an application is told of a page's request.
struct ApplicationRequest {
  const ServiceName& service;
  hub::Hub& hub;
  const hub::ConnectionInfo& connection;  ///< of the page that asks
  const std::string& path;                ///< `hello` of `message/hello.do`
};

struct UploadedFile {
  std::string field;
  std::string filename;
  std::string content_type;
  std::string content;
};

/// The application behind the pages: answers what they send. Thread safe; runs on worker threads and may block. An
/// Error it throws becomes the page's answer.
class Application {
 public:
  virtual ~Application() = default;
  /// `message`: body and query merged. Returns the `data` of the answer.
  virtual event::Json on_message(const ApplicationRequest& request, const event::Json& message) = 0;
  virtual event::Json on_upload(const ApplicationRequest& request, const std::vector<UploadedFile>& files) = 0;
};

/// The demo's: `message/close.do` closes the page's connection from the server's side; everything else is logged (names
/// and sizes, never contents) and answered with what came in.
std::unique_ptr<Application> make_demo_application();

}  // namespace sse::gateway
