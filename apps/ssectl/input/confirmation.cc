#include "ssectl/input/confirmation.h"

#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/text.h"

namespace sse::ctl {
namespace {

bool ask(const std::string& question) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + question + "' cannot be asked without a terminal; add --yes to confirm");
  }
  std::fprintf(stderr, "%s [y/N] ", printable(question, 500).c_str());
  std::string answer;
  for (int c = std::getchar(); c != EOF && c != '\n'; c = std::getchar()) answer += static_cast<char>(c);
  return to_lower(answer) == "y" || to_lower(answer) == "yes";
}

}  // namespace

void Confirmation::declare(cli::App& app, const char* help) {
  app.add_flag("-y,--yes", yes, help).not_configurable();
}

bool Confirmation::given(const std::string& question, const char* refused, Output& out) const {
  if (yes || ask(question)) return true;
  out.note(refused);
  return false;
}

}  // namespace sse::ctl
