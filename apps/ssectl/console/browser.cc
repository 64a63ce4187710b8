#include "ssectl/console/browser.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace sse::ctl {
namespace {

// $TMPDIR or /tmp: confined browsers may not read $XDG_RUNTIME_DIR.
std::string private_folder() {
  const char* parent = std::getenv("TMPDIR");
  std::string folder = std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") + "/ssectl-console-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    throw system_error(errno, "cannot create a folder for the browser, " + folder);
  return folder;
}

void write_file(const std::string& file, std::string_view text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid() || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw system_error(errno, "cannot write a file for the browser, " + file);
}

void run_opener(std::string file) {
  std::string program = "xdg-open";
  char* const arguments[] = {program.data(), file.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {0, 1, 2})
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  // The browser outlives this program, also when Ctrl-C ends all of its group.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t child = 0;
  const int error = posix_spawnp(&child, program.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw system_error(error, "cannot open a browser with xdg-open; open the address yourself, without --open");
}

}  // namespace

BrowserWindow::BrowserWindow(const std::string& url) : folder_(private_folder()), file_(folder_ + "/console.html") {
  try {
    write_file(
        file_,
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\"><title>sse-server "
        "console</title><meta http-equiv=\"refresh\" content=\"0;url=" +
            url + "\"><a href=\"" + url + "\">The admin console</a>\n");
    run_opener(file_);
  } catch (const Error&) {
    ::unlink(file_.c_str());
    ::rmdir(folder_.c_str());
    throw;
  }
}

BrowserWindow::~BrowserWindow() {
  ::unlink(file_.c_str());
  ::rmdir(folder_.c_str());
}

}  // namespace sse::ctl
