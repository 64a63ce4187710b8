#include "support/redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/paths.h"

namespace sse::testing {
namespace {

// What follows the password in the manual's ACL SETUSER.
std::vector<std::string> documented_rights() {
  std::istringstream page(read_file(source_folder() + "/man/sse-server-cluster.7"));
  std::vector<std::string> rights;
  std::string line;
  while (std::getline(page, line) && !line.starts_with("ACL SETUSER")) {
  }
  for (; page && line != ".Ed"; std::getline(page, line)) {
    std::istringstream words(line);
    for (std::string word; words >> word;) rights.push_back(word);
  }
  // ACL SETUSER sse on >PASSWORD
  if (rights.size() < 20) throw std::runtime_error("sse-server-cluster(7) lists no permissions");
  rights.erase(rights.begin(), rights.begin() + 5);
  return rights;
}

}  // namespace

int free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

RedisProcess::RedisProcess(std::vector<std::string> options) : options_(std::move(options)) {
  std::ostringstream ends;
  // Another program may take the port in between: then with another one.
  for (int attempt = 0; attempt < 5 && pid_ < 0; ++attempt) {
    port_ = free_port();
    other_port_ = free_port();
    spawn();
    bool up = false;
    bool ended = false;
    int status = 0;
    eventually([&] {
      up = answers();
      ended = !up && ::waitpid(pid_, &status, WNOHANG) == pid_;
      return up || ended;
    });
    if (up) continue;
    ends << " " << port_ << ": " << status;
    if (!ended) kill();
    pid_ = -1;
  }
  if (pid_ < 0) {
    std::ifstream log(folder_.file("redis.log"));
    std::ostringstream text;
    text << log.rdbuf();
    throw std::runtime_error(
        "redis-server does not come up (scripts/setup --tests installs it); port and status of each try:" + ends.str() +
        "; its log: " + text.str());
  }
}

RedisProcess::~RedisProcess() {
  thaw();
  kill();
}

void RedisProcess::spawn() {
  std::vector<std::string> words{
      "redis-server", "--port", std::to_string(port_), "--bind",    "127.0.0.1",
      "--save",       "",       "--appendonly",        "yes",       "--appendfsync",
      "always",       "--dir",  folder_.file(""),      "--logfile", folder_.file("redis.log")};
  words.insert(words.end(), {"--user", "sse", "on", ">secret"});
  const std::vector<std::string> rights = documented_rights();
  words.insert(words.end(), rights.begin(), rights.end());
  for (const std::string& option : options_) words.push_back(option == "@port" ? std::to_string(other_port_) : option);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    execvp(arguments.front(), arguments.data());
    _exit(127);
  }
}

bool RedisProcess::answers() const {
  try {
    const std::string answer = say("PING");
    return answer.starts_with("+PONG") || answer.starts_with("-NOAUTH");
  } catch (const std::exception&) {
    return false;
  }
}

std::string RedisProcess::say(const std::string& command) const {
  const UniqueFd fd = connect_to(Endpoint::tcp("127.0.0.1", port_));
  write_all(fd.get(), command + "\r\nQUIT\r\n");
  std::string answer = read_to_end(fd.get());
  if (answer.ends_with("+OK\r\n")) answer.resize(answer.size() - 5);
  return answer;
}

void RedisProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisProcess::start() {
  spawn();
  if (!eventually([this] { return answers(); })) throw std::runtime_error("redis-server does not come up again");
}

void RedisProcess::forget_data() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_.file("appendonlydir"), ignored);
}

void RedisProcess::freeze() {
  testing::freeze(pid_);
}

void RedisProcess::thaw() {
  if (pid_ > 0) testing::thaw(pid_);
}

}  // namespace sse::testing
