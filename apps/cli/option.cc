#include <CLI/Option.hpp>

#include "cli/app.h"

namespace sse::cli {

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::group(const std::string& heading) {
  option_->group(heading);
  return *this;
}

Option& Option::envname(const std::string& variable) {
  option_->envname(variable);
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::default_str(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::not_configurable() {
  option_->configurable(false);
  return *this;
}

Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::one_value_each() {
  option_->type_size(1)->allow_extra_args(false);
  return *this;
}

Option& Option::list_separator(char separator) {
  if (option_->get_expected_max() > 1) option_->delimiter(separator);
  return *this;
}

Option& Option::optional_value() {
  option_->expected(0, 1);
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values).description(""));
  return *this;
}

Option& Option::range(std::int64_t min, std::int64_t max) {
  option_->check(CLI::Range(min, max).description(""));
  return *this;
}

Option& Option::shown_range(std::int64_t min, std::int64_t max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Option& Option::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Option& Option::not_empty() {
  option_->check(
      CLI::Validator([](const std::string& text) { return text.empty() ? "it is empty" : std::string(); }, ""));
  return *this;
}

bool Option::given() const {
  return option_->count() > 0;
}

std::vector<std::string> Option::long_names() const {
  return option_->get_lnames();
}

std::vector<std::string> Option::short_names() const {
  return option_->get_snames();
}

std::string Option::help() const {
  return option_->get_description();
}

std::string Option::type_name() const {
  return option_->get_type_name();
}

bool Option::positional() const {
  return option_->get_positional();
}

bool Option::needs_value() const {
  return option_->get_items_expected_min() > 0;
}

}  // namespace sse::cli
