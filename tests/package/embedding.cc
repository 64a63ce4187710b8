// A program with pages of its own that pushes to them: the server is a part of it, there is no other process. It prints
// where it serves and ends when a page sends `stop`.
#include <sse-server/server.h>

#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "own_repository.h"

namespace {

// Lines of several threads of the server, for a script that waits for them.
void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// How a page proves who it is, is this program's business: here, it knows the word.
class WordAuthenticator final : public sse::Authenticator {
 public:
  std::optional<sse::User> authenticate(const sse::PageRequest& request) override {
    if (request.parameter("word") != "sesame") return std::nullopt;
    sse::User user;
    user.identity.user = sse::UserId(request.parameter("name"));
    user.identity.tenant = sse::TenantId("readers");
    return user;
  }
};

int run() {
  sse::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.page = false;
  options.log_level = sse::LogLevel::kWarn;
  options.log_sink = [](const sse::LogRecord& record) {
    std::string line = "log: " + std::string(record.message);
    for (const sse::LogField& field : record.fields) line += " " + std::string(field.key) + "=" + field.value;
    say(line);
  };

  std::unique_ptr<sse::Server> server;
  OwnRepository* repository = nullptr;  // owned by the server
  std::promise<void> stop;

  sse::Callbacks callbacks;
  callbacks.connect = [](sse::ConnectRequest& request) {
    if (request.identity.user == sse::UserId("mallory")) throw sse::Refusal(403, "not you");
    request.channel = "news";
  };
  callbacks.connected = [&](const sse::ConnectedEvent& event) {
    const sse::UserId& user = event.connection.identity.user;
    const sse::SendResult sent = server->service().send({sse::Target::user(user), "welcome", "good to see you", true});
    say("welcomed " + user.str() + ": delivered " + std::to_string(sent.delivered) + ", pending " +
        std::to_string(sent.pending));
  };
  callbacks.listening_changed = [](const sse::ListeningEvent& event) {
    say(event.connection.identity.user.str() + " now listens to " + event.names.front());
    throw std::runtime_error("a defect of the program");
  };
  callbacks.disconnected = [](const sse::DisconnectedEvent& event) {
    say(event.connection.identity.user.str() + " left: " + event.reason);
  };
  callbacks.message = [&](const sse::MessageRequest& request) -> sse::Answer {
    if (request.path == "stop") {
      say("stored " + std::to_string(repository->added()) + " in the program's own repository");
      stop.set_value();
      return {200, R"("good bye")"};
    }
    if (request.json.find("\"text\"") == std::string::npos) return {400, "null", "a text is missing"};
    // To all streams on the page's channel; the answer says who is there.
    sse::Service service = server->service();
    service.send({sse::Target::channel(request.connection.channel), "said",
                  "a greeting of " + request.connection.identity.user.str()});
    sse::ConnectionFilter readers;
    readers.tenant = sse::TenantId("readers");
    std::string online;
    for (const std::string& name : service.names(sse::TargetKind::kUser)) online += (online.empty() ? "" : " ") + name;
    return {200, R"({"online":")" + online + R"(","connections":)" +
                     std::to_string(service.connections(readers).size()) + "}"};
  };

  sse::Components components;
  components.authenticator = std::make_unique<WordAuthenticator>();
  components.repository = [&repository](sse::MessageIds& ids) {
    auto own = std::make_unique<OwnRepository>(ids);
    repository = own.get();
    return own;
  };
  server = std::make_unique<sse::Server>(options, callbacks, std::move(components));
  try {
    server->service().send({sse::Target::user(sse::UserId("")), "welcome", ""});
  } catch (const sse::Error& e) {
    // Exceptions of the library can be caught by type, also those of the shared one.
    say(std::string("refused: ") + std::string(sse::error_name(e.code())));
  }
  server->start();
  say("serving " + server->url());
  stop.get_future().wait();
  server->stop();
  say("stopped");
  return 0;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "embedding: %s\n", e.what());
    return 1;
  }
}
