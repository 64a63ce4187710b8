#include "support/ssectl.h"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "support/paths.h"

namespace sse::testing {

FILE* start_ssectl(const std::string& arguments) {
  FILE* program = ::popen((ssectl_program() + " " + arguments + " 2>&1").c_str(), "re");
  if (program == nullptr) throw std::system_error(errno, std::generic_category(), "cannot start ssectl");
  return program;
}

std::string finish_ssectl(FILE* program) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), program)) text.append(buffer.data(), n);
  return text + "exit " + std::to_string(WEXITSTATUS(::pclose(program)));
}

std::string ssectl(const std::string& arguments) {
  return finish_ssectl(start_ssectl(arguments));
}

}  // namespace sse::testing
