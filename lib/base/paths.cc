#include "base/paths.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace sse {
namespace {

// The XDG specification says that relative paths in these variables are invalid and must be ignored.
std::string folder_from(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? value : "";
}

std::string home() {
  if (std::string folder = folder_from("HOME"); !folder.empty()) return folder;
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_dir;
  throw Error(
      ErrorCode::kNotFound,
      "cannot tell where to store the database: neither $XDG_STATE_HOME nor $HOME is set; name a file with --db");
}

}  // namespace

std::string default_admin_address() {
  const std::string runtime = folder_from("XDG_RUNTIME_DIR");
  if (runtime.empty()) return "unix:/tmp/sse-serve-" + std::to_string(getuid()) + "/admin.sock";
  return "unix:" + runtime + "/sse-serve/admin.sock";
}

std::string find_admin_address(const std::string& system_folder) {
  const auto exists = [](const std::string& address) {
    struct stat status {};
    return ::stat(address.substr(address.find(':') + 1).c_str(), &status) == 0;
  };
  std::string own = default_admin_address();
  struct stat folder {};
  // The socket cannot be seen by users who may not enter the folder.
  if (exists(own) || ::stat(system_folder.c_str(), &folder) != 0) return own;
  const std::string system = "unix:" + system_folder + "/admin.sock";
  return exists(system) || errno == EACCES ? system : own;
}

std::string default_database_path() {
  std::string state = folder_from("XDG_STATE_HOME");
  if (state.empty()) state = home() + "/.local/state";
  return state + "/sse-serve/pending.db";
}

}  // namespace sse
