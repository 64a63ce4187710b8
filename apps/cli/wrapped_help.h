#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}  // namespace CLI

namespace sse::cli {

/// What App::wrap_help() sets.
std::shared_ptr<CLI::FormatterBase> make_wrapped_help();

}  // namespace sse::cli
