#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <fstream>

#include "base/clock.h"
#include "base/error.h"

namespace sse::bench {

Process::Process(const std::vector<std::string>& words, const std::string& ready) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) throw system_error(errno, "cannot create a pipe");
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(pipe_fds[1], 1);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ::close(pipe_fds[1]);
  output_.reset(pipe_fds[0]);
  const SteadyTime deadline = steady_now() + std::chrono::seconds(20);
  char byte = 0;
  bool found = ready.empty();
  while (!found || (!ready.empty() && byte != '\n')) {
    pollfd wait{output_.get(), POLLIN, 0};
    if (steady_now() > deadline || poll(&wait, 1, 20'000) != 1 || read(output_.get(), &byte, 1) != 1)
      throw Error(ErrorCode::kUnavailable, words[0] + " did not start; it printed '" + printed_ + "'");
    printed_ += byte;
    found = found || printed_.ends_with(ready);
  }
}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 300; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    usleep(10'000);
  }
  kill();
}

void Process::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::vector<pid_t> Process::all() const {
  std::vector<pid_t> pids{pid_};
  std::ifstream file("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
  for (pid_t child = 0; file >> child;) pids.push_back(child);
  return pids;
}

double Process::cpu_seconds() const {
  double total = 0;
  for (const pid_t pid : all()) {
    clockid_t clock{};
    timespec used{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
      throw Error(ErrorCode::kUnavailable, "process " + std::to_string(pid) + " has exited");
    total += static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  }
  return total;
}

double Process::memory_bytes() const {
  double total = 0;
  for (const pid_t pid : all()) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;) {
      double kibibytes = 0;
      if ((word == "Pss_Anon:" || word == "Pss_Shmem:") && file >> kibibytes) total += kibibytes * 1024;
    }
  }
  return total;
}

}  // namespace sse::bench
