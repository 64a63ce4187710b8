#include <CLI/App.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

#include "cli/app.h"

namespace sse::cli {

Outcome App::parse(std::vector<std::string> arguments) {
  // CLI11 expects the arguments in reverse order.
  std::ranges::reverse(arguments);
  try {
    app_->parse(std::move(arguments));
    return {};
  } catch (const CLI::Success& wanted) {
    std::ostringstream text;
    app_->exit(wanted, text, text);
    return {Outcome::Kind::kPrint, text.str()};
  } catch (const CLI::FileError& e) {
    return {Outcome::Kind::kUnreadableFile, e.what()};
  } catch (const CLI::ConfigError& e) {
    return {Outcome::Kind::kInvalidFile, e.what()};
  } catch (const CLI::ParseError& e) {
    return {Outcome::Kind::kMisuse, e.what()};
  }
}

Outcome App::parse(int argc, const char* const* argv) {
  return parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

const App* App::chosen() const {
  const std::vector<CLI::App*> given = app_->get_subcommands();
  if (given.empty()) return nullptr;
  const auto found = std::ranges::find(subcommands_, given.front(), [](const auto& one) { return one->app_; });
  return found == subcommands_.end() ? nullptr : found->get();
}

bool App::is_subcommand_missing() const {
  return app_->get_require_subcommand_min() > 0 && app_->get_subcommands().empty();
}

std::vector<std::string> App::unknown() const {
  return app_->remaining(true);
}

}  // namespace sse::cli
