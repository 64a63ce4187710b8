#include "application/application.h"

#include "observe/log.h"

namespace sse::application {
namespace {

using event::Json;

class DemoApplication final : public Application {
 public:
  Answer on_message(const ApplicationRequest& request, const Json& message) override {
    observe::log_info("message from a page", {{"path", request.path},
                                              {"user", request.connection.identity.user.str()},
                                              {"connection", request.connection.id.str()},
                                              {"fields", std::to_string(message.size())}});
    if (request.path == "close") {
      return Json{{"count", request.hub.close(std::vector<ConnectionId>{request.connection.id})}};
    }
    return Json{{"path", request.path}, {"received", message}};
  }

  Answer on_upload(const ApplicationRequest& request, const Upload& upload) override {
    Json list = Json::array();
    for (const UploadedFile& file : upload.files) {
      observe::log_info("upload from a page", {{"path", request.path},
                                               {"user", request.connection.identity.user.str()},
                                               {"connection", request.connection.id.str()},
                                               {"field", file.field},
                                               {"bytes", std::to_string(file.size.count())}});
      list.push_back({{"field", file.field},
                      {"filename", file.filename},
                      {"contentType", file.content_type},
                      {"size", file.size.count()}});
    }
    return Json{{"path", request.path}, {"fields", upload.fields}, {"files", list}};
  }
};

}  // namespace

std::unique_ptr<Application> make_demo_application() {
  return std::make_unique<DemoApplication>();
}

}  // namespace sse::application
