#include <charconv>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/input.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string node;
  std::string rate = "500/s";
  bool yes = false;
};

std::uint64_t rate_of(const std::string& text) {
  std::string_view digits = text;
  if (digits.ends_with("/s")) digits.remove_suffix(2);
  std::uint64_t rate = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rate);
  if (error != std::errc{} || stop != digits.data() + digits.size() || rate == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "--rate '" + printable(text, 40) + "' is not a number of streams a second, such as 500/s");
  }
  return rate;
}

int run(const Options& options, Context& context) {
  const std::uint64_t rate = rate_of(options.rate);
  Output& out = context.out();
  out.ignore_closed_stdout();
  if (!options.yes && !confirmed("move all streams of " + printable(options.node, 60) + " to other nodes?")) {
    out.note("nothing was changed");
    return kFailed;
  }
  const api::Json answer = context.client().drain_node(options.node, rate);
  if (out.human_readable()) {
    out.write(plural(count_in(answer, "streams"), "stream") + " of " + printable(options.node, 60) + " will move, " +
              std::to_string(rate) + " a second; the node accepts no new streams until it is restarted\n");
  } else {
    out.document(answer);
  }
  return kDone;
}

}  // namespace

Run declare_nodes_drain(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("NODE", options->node, "Its server id").type_name("").required().not_configurable();
  app.add_option("--rate", options->rate, "Streams a second").type_name("RATE").show_default();
  app.add_flag("-y,--yes", options->yes, "Do not ask").not_configurable();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
