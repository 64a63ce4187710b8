#include "cli/app.h"

#include <CLI/App.hpp>
#include <CLI/Formatter.hpp>
#include <utility>

#include "cli/configuration.h"
#include "cli/wrapped_help.h"

namespace sse::cli {

App::App(const std::string& description, const std::string& name)
    : program_(std::make_unique<CLI::App>(description, name)),
      app_(program_.get()),
      file_(std::make_shared<FileSettings>()) {
  app_->config_formatter(make_configuration(*app_, file_));
}

App::App(CLI::App* app, const App* parent) : app_(app), parent_(parent), file_(parent->file_) {}

App::~App() = default;

App& App::add_subcommand(const std::string& name, const std::string& summary) {
  subcommands_.emplace_back(new App(app_->add_subcommand(name, summary), this));
  return *subcommands_.back();
}

void App::wrap_help(Environment environment) {
  app_->formatter(make_wrapped_help(environment == Environment::kShown));
}

}  // namespace sse::cli
