#include <memory>
#include <string>

#include "command.h"
#include "completion_script.h"

namespace sse::ctl {

Run declare_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")
      ->type_name("bash|zsh|fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
  return [shell, &app](Context& context) {
    const CLI::App* root = &app;
    while (root->get_parent() != nullptr) root = root->get_parent();
    context.out().write(completion_script(*root, *shell));
    return kDone;
  };
}

}  // namespace sse::ctl
