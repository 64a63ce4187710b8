#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/version.h"
#include "cli/suggestion.h"
#include "ssectl/commands/all.h"

namespace sse::ctl {
namespace {

std::string footer(const char* examples) {
  return std::string("Examples:\n  ") + examples + "\n";
}

// If a standard descriptor is closed, a socket could be opened on its number and receive this program's output.
void hold_standard_descriptors() {
  for (const int fd : {0, 1, 2}) {
    if (fcntl(fd, F_GETFD) == -1) static_cast<void>(open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY));
  }
}

// `ssectl help send` is `ssectl send --help`, and `ssectl version` is `ssectl --version`.
std::vector<std::string> without_words(std::vector<std::string> arguments) {
  if (arguments.empty() || (arguments.front() != "help" && arguments.front() != "version")) return arguments;
  const bool version = arguments.front() == "version";
  if (version && arguments.size() > 1) return arguments;
  arguments.erase(arguments.begin());
  arguments.push_back(version ? "--version" : "--help");
  return arguments;
}

class Program {
 public:
  Program() : app_("Sends events through sse-serve, and shows its connections and undelivered messages.", "ssectl") {
    app_.fallthrough();
    app_.require_subcommand();
    app_.set_version_flag("--version", std::string("ssectl ") + base::kVersion, "Print the version and exit");
    app_.set_config("--config", "Read options from this file").type_name("FILE");
    app_.wrap_help(cli::App::Environment::kShown);
    options_.declare(app_);
    app_.footer(
        footer("ssectl status\n  ssectl send --user 1 --qos\n  ssectl connections list\n\n"
               "The options above may be given before or after a command. 'ssectl help COMMAND'\nshows those of a "
               "command. Manual: man ssectl"));
    for (const Command& command : all_commands()) add(command);
  }

  int run(int argc, char** argv) {
    const cli::Outcome outcome = app_.parse(without_words({argv + std::min(argc, 1), argv + argc}));
    if (outcome.kind == cli::Outcome::Kind::kPrint) {
      Output(Format::kTable, true).write(outcome.text);
      return kDone;
    }
    if (outcome.kind != cli::Outcome::Kind::kParsed) return report_error(outcome);
    Context context(options_);
    const int code = run_(context);
    if (code != kDone || !context.out().lost()) return code;
    context.out().note("the command was carried out, but standard output was closed before its result was written");
    return kFailed;
  }

 private:
  cli::App& parent_of(std::string_view name) {
    if (name.empty()) return app_;
    if (cli::App* known = groups_[name]) return *known;
    const std::span<const Group> groups = all_groups();
    const Group& group = *std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.name == name; });
    const std::size_t blank = name.rfind(' ');
    cli::App& above = parent_of(blank == std::string_view::npos ? "" : name.substr(0, blank));
    cli::App& app = above.add_subcommand(std::string(blank == std::string_view::npos ? name : name.substr(blank + 1)),
                                         group.summary);
    groups_[name] = &app;
    app.require_subcommand();
    app.footer(footer(group.example));
    return app;
  }

  void add(const Command& command) {
    cli::App& app = parent_of(command.group).add_subcommand(command.name, command.summary);
    app.footer(footer(command.examples));
    Run run = command.declare(app);
    app.on_chosen([this, run = std::move(run)] { run_ = run; });
  }

  static std::string meant(const cli::App& app, const std::string& word) {
    std::vector<std::string> names;
    for (const auto& sub : app.subcommands()) names.push_back(sub->name());
    return cli::did_you_mean(word, names);
  }

  int report_error(const cli::Outcome& outcome) const {
    const cli::App* app = &app_;
    std::string command = "ssectl";
    while (const cli::App* chosen = app->chosen()) {
      app = chosen;
      command += ' ' + app->name();
    }
    std::string what = outcome.text;
    // For a misspelt command the parser would only say "A subcommand is required".
    const std::vector<std::string> unknown = app_.unknown();
    if (app->is_subcommand_missing())
      what = unknown.empty() ? "a command is missing"
                             : "there is no command '" + unknown.front() + "'" + meant(*app, unknown.front());
    if (outcome.kind == cli::Outcome::Kind::kUnreadableFile) what = "cannot read the file of --config " + what;
    Output(Format::kTable, true).note(what + (what.ends_with('?') ? " See '" : "; see '") + command + " --help'");
    return kUsage;
  }

  cli::App app_;
  GlobalOptions options_;
  std::map<std::string_view, cli::App*> groups_;
  Run run_;
};

int guarded(int argc, char** argv) {
  const auto report_error = [](const char* what) { Output(Format::kTable, true).note(what); };
  try {
    return Program().run(argc, argv);
  } catch (const StdoutClosed&) {
    return kDone;
  } catch (const Error& e) {
    report_error(e.what());
    return exit_code(e.code());
  } catch (const std::exception& e) {
    report_error(e.what());
    return kFailed;
  }
}

}  // namespace
}  // namespace sse::ctl

int main(int argc, char** argv) {
  sse::ctl::hold_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  return sse::ctl::guarded(argc, argv);
}
