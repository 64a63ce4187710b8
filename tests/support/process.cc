#include "support/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "support/paths.h"

namespace sse::testing {
namespace {

// "sse-serve 0.1 on http://127.0.0.1:40123  (…)"; the fourth line says that everything is up.
int port_in(const std::string& log) {
  if (log.find("\nadmin ") == std::string::npos) return 0;
  // Behind the "on": a line of the log may name the address of something else before.
  const std::size_t on = log.find(" on http");
  const std::size_t scheme = on == std::string::npos ? on : log.find("://127.0.0.1:", on);
  return scheme == std::string::npos ? 0 : std::atoi(log.c_str() + scheme + 13);
}

}  // namespace

ServerProcess::ServerProcess(const TempFolder& folder, std::vector<std::string> options)
    : admin_(Endpoint::unix_socket(folder.file("admin.sock"))) {
  static int starts = 0;
  log_ = folder.file("server-" + std::to_string(++starts) + ".log");
  std::vector<std::string> words{server_program(), "--listen", "127.0.0.1:0", "--db", folder.file("pending.db")};
  const bool own_admin = std::ranges::find(options, "--admin") == options.end();
  if (own_admin) words.insert(words.end(), {"--admin", "unix:" + admin_.path});
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const UniqueFd log(::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    // Only what may be called between fork() and exec() of a process with threads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(log.get(), STDOUT_FILENO);
    dup2(log.get(), STDERR_FILENO);
    execv(arguments.front(), arguments.data());
    _exit(127);
  }
  int port = 0;
  const bool ready = eventually([&] { return (port = port_in(read_file(log_))) != 0 || wait_for_exit({}) != -1; });
  if (!ready || port == 0) {
    kill();
    throw std::runtime_error("sse-serve does not come up: " + read_file(log_));
  }
  pages_ = Endpoint::tcp("127.0.0.1", port);
  if (own_admin) return;
  const std::string text = read_file(log_);
  const std::size_t admin = text.find("127.0.0.1:", text.find("\nadmin "));
  if (admin != std::string::npos) admin_ = Endpoint::tcp("127.0.0.1", std::atoi(text.c_str() + admin + 10));
}

ServerProcess::~ServerProcess() {
  kill();
}

int ServerProcess::wait_for_exit(std::chrono::milliseconds timeout) {
  if (pid_ < 0) return -1;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) != pid_) {
    if (std::chrono::steady_clock::now() >= deadline) return -1;
    nap();
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ServerProcess::stop() {
  if (pid_ < 0) return -1;
  ::kill(pid_, SIGTERM);
  const int status = wait_for_exit(kTimeout);
  kill();
  return status;
}

void ServerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait_for_exit(kTimeout);
}

std::string ServerProcess::log() const {
  return read_file(log_);
}

std::size_t ServerProcess::peak_memory() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string word;
  std::size_t kibibytes = 0;
  while (status >> word) {
    if (word == "VmHWM:") status >> kibibytes;
  }
  return kibibytes * 1024;
}

void freeze(pid_t pid) {
  ::kill(pid, SIGSTOP);
  const auto stands = [](const std::filesystem::path& task) {
    // proc(5): the state is field 3; the second may hold blanks, but ends with the last ')'.
    const std::string stat = read_file((task / "stat").string());
    const std::size_t end = stat.rfind(')');
    return end == std::string::npos || stat.compare(end, 3, ") T") == 0;
  };
  const bool frozen = eventually([&] {
    const std::filesystem::directory_iterator tasks("/proc/" + std::to_string(pid) + "/task");
    return std::all_of(begin(tasks), end(tasks), [&](const auto& task) { return stands(task.path()); });
  });
  if (!frozen) throw std::runtime_error("process " + std::to_string(pid) + " does not stand still");
}

void thaw(pid_t pid) {
  ::kill(pid, SIGCONT);
}

int ServerProcess::threads() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string word;
  int threads = 0;
  while (status >> word) {
    if (word == "Threads:") status >> threads;
  }
  return threads;
}

std::chrono::milliseconds ServerProcess::cpu_time() const {
  // proc(5): utime and stime are fields 14 and 15; the second may hold blanks, but ends with the last ')'.
  const std::string stat = read_file("/proc/" + std::to_string(pid_) + "/stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / sysconf(_SC_CLK_TCK));
}

}  // namespace sse::testing
