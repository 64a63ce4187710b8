#include "cli/app.h"

#include <CLI/App.hpp>
#include <CLI/Formatter.hpp>
#include <utility>

#include "cli/configuration.h"
#include "cli/wrapped_help.h"

namespace sse::cli {

App::App(const std::string& description, const std::string& name)
    : program_(std::make_unique<CLI::App>(description, name)), app_(program_.get()) {
  app_->config_formatter(make_configuration());
}

App::App(CLI::App* app, const App* parent) : app_(app), parent_(parent) {}

App::~App() = default;

App& App::add_subcommand(const std::string& name, const std::string& summary) {
  subcommands_.emplace_back(new App(app_->add_subcommand(name, summary), this));
  return *subcommands_.back();
}

void App::wrap_help() {
  app_->formatter(make_wrapped_help());
}

}  // namespace sse::cli
