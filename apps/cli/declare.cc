#include <CLI/App.hpp>
#include <utility>

#include "base/error.h"
#include "cli/app.h"

namespace sse::cli {

Option App::add_option(const std::string& names, std::string& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

Option App::add_option(const std::string& names, std::vector<std::string>& values, const std::string& help) {
  return Option(app_->add_option(names, values, help));
}

Option App::add_option(const std::string& names, std::uint64_t& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

Option App::add_option(const std::string& names, unsigned& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

Option App::add_option(const std::string& names, double& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

Option App::add_option(const std::string& names, std::optional<std::uint64_t>& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

Option App::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Option(app_->add_flag(names, value, help));
}

Option App::add_flag(const std::string& names, std::function<void()> when_given, const std::string& help) {
  return Option(app_->add_flag_callback(names, std::move(when_given), help));
}

Option App::add_text(const std::string& names, std::function<void(const std::string&)> take, const std::string& help) {
  return Option(app_->add_option_function<std::string>(
      names,
      [names, take = std::move(take)](const std::string& text) {
        try {
          take(text);
        } catch (const Error& e) {
          throw CLI::ValidationError(names, e.what());
        }
      },
      help));
}

Option App::add_texts(const std::string& names, std::function<void(const std::vector<std::string>&)> take,
                      const std::string& help) {
  return Option(app_->add_option_function<std::vector<std::string>>(
      names,
      [names, take = std::move(take)](const std::vector<std::string>& texts) {
        try {
          take(texts);
        } catch (const Error& e) {
          throw CLI::ValidationError(names, e.what());
        }
      },
      help));
}

void App::begin_group(const std::string& heading) {
  app_->option_defaults()->group(heading);
}

Option App::set_help_flag(const std::string& names, const std::string& help) {
  return Option(app_->set_help_flag(names, help));
}

Option App::set_version_flag(const std::string& names, const std::string& version, const std::string& help) {
  return Option(app_->set_version_flag(names, version, help));
}

Option App::set_config(const std::string& names, const std::string& help) {
  // A misspelt key must be an error.
  app_->allow_config_extras(CLI::config_extras_mode::error);
  return Option(app_->set_config(names, "", help));
}

void App::require_subcommand() {
  app_->require_subcommand(1);
}

void App::fallthrough() {
  app_->fallthrough();
}

void App::on_chosen(std::function<void()> callback) {
  app_->final_callback(std::move(callback));
}

void App::footer(const std::string& text) {
  app_->footer(text);
}

std::string App::name() const {
  return app_->get_name();
}

std::string App::description() const {
  return app_->get_description();
}

Option App::option(const std::string& name) const {
  return Option(app_->get_option(name));
}

std::vector<Option> App::options() const {
  std::vector<Option> all;
  for (CLI::Option* option : app_->get_options()) all.push_back(Option(option));
  return all;
}

}  // namespace sse::cli
