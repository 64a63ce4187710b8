#include "gateway/secret_file.h"

#include <sys/stat.h>

#include <fstream>

#include "base/error.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1024} * 1024;

void warn_if_open(const std::string& path, const std::string& option) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0077) != 0)
    observe::log_warn("a file with a secret can be read by others; chmod 600 it", {{"file", path}, {"option", option}});
}

}  // namespace

std::string read_secret_file(const std::string& path, const std::string& option) {
  std::ifstream file(path);
  std::string secret;
  if (!std::getline(file, secret) || secret.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "cannot read a token or secret from '" + path + "'; " + option +
                                                 " names a file whose first line is the token or secret");
  }
  warn_if_open(path, option);
  return secret;
}

std::string read_whole_secret_file(const std::string& path, const std::string& option) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() || text.size() > kMostBytes)
    throw Error(ErrorCode::kInvalidArgument,
                "cannot read '" + path + "' of " + option + ", or it is empty or too large");
  warn_if_open(path, option);
  return text;
}

}  // namespace sse::gateway
