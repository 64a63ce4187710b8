#include <memory>
#include <string>

#include "ssectl/commands/command.h"
#include "ssectl/commands/completion_script.h"

namespace sse::ctl {

Run declare_completion(cli::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")
      .type_name("bash|zsh|fish")
      .required()
      .one_of({"bash", "zsh", "fish"});
  return [shell, &app](Context& context) {
    const cli::App* root = &app;
    while (root->parent() != nullptr) root = root->parent();
    context.out().write(completion_script(*root, *shell));
    return kDone;
  };
}

}  // namespace sse::ctl
