// A program with pages of its own that pushes to them: the server is a part of it, there is no other process. It prints
// where it serves and ends when a page sends `stop`.
#include <hub/connection_scan.h>
#include <server/server.h>

#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace {

// Who a page is, is this program's business: here, whoever knows the word.
std::optional<sse::auth::User> authenticate(const sse::auth::PageRequest& request) {
  if (request.parameter("word") != "sesame") return std::nullopt;
  sse::auth::User user;
  user.identity.user = sse::UserId(request.parameter("name"));
  user.identity.tenant = sse::TenantId("readers");
  return user;
}

int run() {
  sse::server::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.page = false;

  std::unique_ptr<sse::server::Server> server;
  std::promise<void> stop;

  sse::application::Callbacks react;
  react.authenticate = authenticate;
  react.connect = [](sse::application::ConnectRequest& request) {
    if (request.identity.user == sse::UserId("mallory")) throw sse::application::Refusal(403, "not you");
    request.channel = "news";
  };
  react.connected = [&](const sse::application::ActivityEvent& activity) {
    const auto sent = server->sender().send(
        {sse::event::Target::user(activity.connection->identity.user), "welcome", "good to see you", true});
    std::printf("welcomed %s: delivered %d, pending %d\n", activity.connection->identity.user.str().c_str(),
                static_cast<int>(sent.delivered), static_cast<int>(sent.pending));
    std::fflush(stdout);
  };
  react.listening_changed = [](const sse::application::ActivityEvent& activity) {
    std::printf("%s now listens to %s\n", activity.connection->identity.user.str().c_str(),
                activity.names.front().c_str());
    std::fflush(stdout);
  };
  react.disconnected = [](const sse::application::ActivityEvent& activity) {
    std::printf("%s left: %s\n", activity.connection->identity.user.str().c_str(), activity.reason.c_str());
    std::fflush(stdout);
  };
  react.message = [&](const sse::application::ApplicationRequest& request,
                      const sse::event::Json& message) -> sse::application::Answer {
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

  server = std::make_unique<sse::server::Server>(options, react);
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
