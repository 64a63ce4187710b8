// A program with pages of its own that pushes to them: the server is a part of it, there is no other process. It prints
// where it serves and ends when a page sends `stop`.
#include <gateway/server.h>
#include <hub/survey.h>

#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace gateway = sse::gateway;

namespace {

// Who a page is, is this program's business: here, whoever knows the word.
std::optional<gateway::User> authenticate(const gateway::PageRequest& request) {
  if (request.parameter("word") != "sesame") return std::nullopt;
  gateway::User user;
  user.identity.user = sse::UserId(request.parameter("name"));
  user.identity.tenant = sse::TenantId("readers");
  return user;
}

int run() {
  gateway::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.page = false;

  std::unique_ptr<gateway::Server> server;
  std::promise<void> stop;

  gateway::Callbacks react;
  react.authenticate = authenticate;
  react.connect = [](gateway::ConnectRequest& request) {
    if (request.identity.user == sse::UserId("mallory")) throw gateway::Refusal(403, "not you");
    request.channel = "news";
  };
  react.connected = [&](const gateway::Happening& happening) {
    const auto sent = server->sender().send(
        {sse::event::Target::user(happening.connection->identity.user), "welcome", "good to see you", true});
    std::printf("welcomed %s: delivered %d, pending %d\n", happening.connection->identity.user.str().c_str(),
                static_cast<int>(sent.delivered), static_cast<int>(sent.pending));
    std::fflush(stdout);
  };
  react.listening_changed = [](const gateway::Happening& happening) {
    std::printf("%s now listens to %s\n", happening.connection->identity.user.str().c_str(),
                happening.names.front().c_str());
    std::fflush(stdout);
  };
  react.disconnected = [](const gateway::Happening& happening) {
    std::printf("%s left: %s\n", happening.connection->identity.user.str().c_str(), happening.reason.c_str());
    std::fflush(stdout);
  };
  react.message = [&](const gateway::ApplicationRequest& request, const sse::event::Json& message) -> gateway::Answer {
    if (request.path == "stop") {
      stop.set_value();
      return {"good bye"};
    }
    // To everybody on the page's channel; asked who is there, too.
    server->sender().send({sse::event::Target::channel(request.connection.channel), "said", message.at("text")});
    sse::hub::ConnectionFilter readers;
    readers.tenant = sse::TenantId("readers");
    return {{{"online", server->sender().hub().names(sse::event::TargetKind::kUser)},
             {"connections", sse::hub::find(server->sender().hub(), readers).size()}}};
  };

  server = std::make_unique<gateway::Server>(options, react);
  server->start();
  std::printf("serving %s\n", server->url().c_str());
  std::fflush(stdout);
  stop.get_future().wait();
  server->stop();
  std::puts("stopped");
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
