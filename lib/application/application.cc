#include "application/application.h"

#include "api/send_reader.h"
#include "application/connection_json.h"
#include "observe/log.h"

namespace sse::application {
namespace {

using event::Json;

class DemoApplication final : public Application {
 public:
  explicit DemoApplication(bool publishes) : publishes_(publishes) {}

  Answer on_message(const ApplicationRequest& request, const Json& message) override {
    observe::log_info("message from a page", {{"path", request.path},
                                              {"user", request.connection.identity.user.str()},
                                              {"connection", request.connection.id.str()},
                                              {"fields", std::to_string(message.size())}});
    if (request.path == "close") {
      return Json{{"count", request.sender.hub().close(std::vector<ConnectionId>{request.connection.id})}};
    }
    if (request.path == "publish") return publish(request, message);
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

 private:
  Answer publish(const ApplicationRequest& request, const Json& message) const {
    if (!publishes_) {
      throw Error(ErrorCode::kPermissionDenied,
                  "pages may publish only with --auth demo; use ssectl send or the admin API");
    }
    const auto send = message.find("send");
    api::SendRequest asked = api::read_send_request(send == message.end() ? "{}" : send->dump(), "the field 'send'");
    return Json::parse(to_text(
        request.sender.send({std::move(asked.target), std::move(asked.event), std::move(asked.data), asked.qos})));
  }

  const bool publishes_;
};

}  // namespace

std::unique_ptr<Application> make_demo_application(bool publishes) {
  return std::make_unique<DemoApplication>(publishes);
}

}  // namespace sse::application
