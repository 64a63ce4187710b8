#include <CLI/Option.hpp>
#include <algorithm>
#include <charconv>

#include "cli/app.h"

namespace sse::cli {
namespace {

CLI::Validator whole_number_between(std::int64_t min, std::int64_t max, const std::string& shown) {
  return {[min, max](const std::string& text) {
            std::int64_t number = 0;
            const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (error == std::errc{} && stop == text.data() + text.size() && number >= min && number <= max)
              return std::string();
            return "'" + text + "' is not a whole number from " + std::to_string(min) + " to " + std::to_string(max);
          },
          shown};
}

}  // namespace

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
  std::string listed;
  for (const std::string& value : values) listed += (listed.empty() ? "" : "|") + value;
  option_->check(CLI::Validator(
      [values, listed](const std::string& text) {
        return std::ranges::find(values, text) != values.end() ? std::string()
                                                               : "'" + text + "' is not one of " + listed;
      },
      ""));
  return *this;
}

Option& Option::range(std::int64_t min, std::int64_t max) {
  option_->check(whole_number_between(min, max, ""));
  return *this;
}

Option& Option::shown_range(std::int64_t min, std::int64_t max) {
  option_->check(whole_number_between(min, max, std::to_string(min) + " to " + std::to_string(max)));
  return *this;
}

Option& Option::positive() {
  option_->check(CLI::Validator(
      [](const std::string& text) {
        double number = 0;
        return CLI::detail::lexical_cast(text, number) && number > 0 ? std::string()
                                                                     : "'" + text + "' is not a number above 0";
      },
      "above 0"));
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

std::string Option::argument_name() const {
  return positional() ? option_->get_name(true) : "";
}

bool Option::needs_value() const {
  return option_->get_items_expected_min() > 0;
}

bool Option::repeatable() const {
  return option_->get_items_expected_max() > 1;
}

bool Option::configurable() const {
  return option_->get_configurable();
}

std::string Option::default_text() const {
  return option_->get_default_str();
}

std::string Option::environment() const {
  return option_->get_envname();
}

std::vector<std::string> Option::values() const {
  // The texts of a list in one word are separate only after it was reduced.
  return option_->count() == 0 ? std::vector<std::string>() : option_->reduced_results();
}

}  // namespace sse::cli
