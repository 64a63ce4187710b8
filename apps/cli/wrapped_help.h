#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}  // namespace CLI

namespace sse::cli {

/// Creates the help formatter of App::wrap_help(): text that fits 80 columns.
std::shared_ptr<CLI::FormatterBase> make_wrapped_help(bool shows_environment);

}  // namespace sse::cli
