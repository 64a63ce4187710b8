#include "ssectl/conformance/publisher.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/http_caller.h"

extern char** environ;

namespace sse::ctl {
namespace {

class ServerPublisher final : public Publisher {
 public:
  explicit ServerPublisher(OwnServer& server) : server_(server) {}

  bool names_events() const override { return true; }
  bool publish(const std::string& data, const std::string& name) override {
    try {
      server_.send(data, name);
      return true;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kInvalidArgument) throw;
      return false;
    }
  }

 private:
  OwnServer& server_;
};

class UrlPublisher final : public Publisher {
 public:
  UrlPublisher(const std::string& url, std::chrono::milliseconds timeout) : http_(url, "--publish", timeout) {}

  bool names_events() const override { return false; }
  bool publish(const std::string& data, const std::string&) override {
    net::HttpCaller::Request request;
    request.content_type = "text/plain; charset=utf-8";
    request.body = data;
    const int status = http_.post(request).status;
    return status >= 200 && status < 300;
  }

 private:
  net::HttpCaller http_;
};

class CommandPublisher final : public Publisher {
 public:
  explicit CommandPublisher(std::string command) : command_(std::move(command)) {}

  bool names_events() const override { return command_.find("SSE_EVENT") != std::string::npos; }

  bool publish(const std::string& data, const std::string& name) override {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "cannot run the command of --publish");
    UniqueFd input(ends[0]);
    UniqueFd output(ends[1]);
    const pid_t child = start(input.get(), name);
    input.reset();
    // The command may end before it has read everything.
    for (std::string_view rest = data; !rest.empty();) {
      const ssize_t written = write(output.get(), rest.data(), rest.size());
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    output.reset();
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t start(int input, const std::string& name) {
    std::string variable = "SSE_EVENT=" + name;
    std::vector<char*> environment{variable.data()};
    for (char** one = environ; *one != nullptr; ++one) {
      if (!std::string_view(*one).starts_with("SSE_EVENT=")) environment.push_back(*one);
    }
    environment.push_back(nullptr);
    std::string shell = "sh";
    std::string option = "-c";
    char* const arguments[] = {shell.data(), option.data(), command_.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    // Its output is not the report.
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    const int error = posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw system_error(error, "cannot run the command of --publish");
    return child;
  }

  std::string command_;
};

}  // namespace

std::unique_ptr<Publisher> publish_through(OwnServer& server) {
  return std::make_unique<ServerPublisher>(server);
}

std::unique_ptr<Publisher> publish_with(const std::string& target, std::chrono::milliseconds timeout) {
  if (target.starts_with("http://") || target.starts_with("https://"))
    return std::make_unique<UrlPublisher>(target, timeout);
  if (target.empty()) throw Error(ErrorCode::kInvalidArgument, "--publish needs an URL or a command");
  return std::make_unique<CommandPublisher>(target);
}

}  // namespace sse::ctl
