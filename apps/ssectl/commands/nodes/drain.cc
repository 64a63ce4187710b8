#include <charconv>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/confirmation.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string node;
  std::string rate = "500/s";
  Confirmation confirmation;
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
  const std::string node = printable(options.node, 60);
  if (!options.confirmation.given("move all streams of " + node + " to other nodes?", "nothing was changed", out))
    return kFailed;
  const api::Json answer = context.client().drain_node(options.node, rate);
  out.result(answer, plural(count_in(answer, "streams"), "stream") + " of " + node + " will move, " +
                         std::to_string(rate) +
                         " a second; the node accepts no new streams until 'ssectl nodes undrain'");
  return kDone;
}

}  // namespace

Run declare_nodes_drain(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("NODE", options->node, "Its server id").type_name("").required().not_configurable();
  app.add_option("--rate", options->rate, "Streams a second").type_name("RATE").show_default();
  options->confirmation.declare(app);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
