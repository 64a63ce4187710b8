#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sse::serve {

/// Help that fits a terminal of 80 columns: a type behind each option, the description wrapped, the default at its end.
/// The variables of the environment follow from the names, so that they are not repeated.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();

 private:
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_group(std::string group, bool is_positional, std::vector<const CLI::Option*> options) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace sse::serve
