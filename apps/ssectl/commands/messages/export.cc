#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "base/shown_json.h"
#include "base/text.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/message_filter.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/progress.h"

namespace sse::ctl {
namespace {

constexpr int kMaxRetries = 5;
constexpr std::chrono::seconds kPause{1};

struct Options {
  api::MessageQuery query;
  bool dead = false;
};

// "3 messages" or "2998 of 3017 messages", and why some are missing.
std::string describe_export(std::uint64_t written, std::uint64_t total, std::uint64_t expired, std::uint64_t damaged,
                            const char* what) {
  std::string text = written == total ? plural(written, what) : std::to_string(written) + " of " + plural(total, what);
  if (expired > 0) text += ", " + std::to_string(expired) + " had expired";
  if (damaged > 0) text += ", " + std::to_string(damaged) + " are damaged";
  if (written + expired + damaged < total) text += "; the others were removed meanwhile";
  return text;
}

// Fetches a page of the export. A node that does not answer is queried again, because its part of this page would
// otherwise be lost for good. `missed`: nodes that are known not to answer.
api::Client::ExportPage export_page(const api::MessageQuery& query, bool dead, MessageId after,
                                    const std::set<std::string>& missed, Context& context) {
  for (int retries = kMaxRetries;; --retries) {
    api::Client::ExportPage page = context.client().export_messages(query, after, dead);
    const bool known =
        std::ranges::all_of(page.missing, [&](const std::string& node) { return missed.contains(node); });
    if (known || retries == 0) return page;
    std::this_thread::sleep_for(kPause);
  }
}

int run(const Options& options, Context& context) {
  const api::MessageQuery query = with_service(options.query, context);
  Output& out = context.out();
  Progress progress;
  MessageId after;
  std::uint64_t total = 0;
  std::uint64_t written = 0;
  std::uint64_t expired = 0;
  std::uint64_t damaged = 0;
  std::set<std::string> missing;
  for (;;) {
    const api::Client::ExportPage page = export_page(query, options.dead, after, missing, context);
    try {
      if (!page.lines.empty()) out.write(shown_json(page.lines));
    } catch (const StdoutClosed&) {
      progress.clear();
      out.note("standard output was closed before all was written; the export is incomplete");
      return kFailed;
    }
    total = page.total.value_or(total);
    written += static_cast<std::uint64_t>(std::ranges::count(page.lines, '\n'));
    expired += page.expired;
    damaged += page.damaged;
    missing.insert(page.missing.begin(), page.missing.end());
    if (page.complete) break;
    after = page.last;
    progress.show("exporting", written, total);
  }
  progress.clear();
  // Messages sent during the export may be included, so `written` may exceed `total`.
  out.note("exported " + describe_export(written, std::max(total, written), expired, damaged,
                                         options.dead ? "dead letter" : "message"));
  for (const std::string& node : missing)
    out.note("node " + printable(node, 80) + " did not answer: its messages are not exported");
  return missing.empty() && damaged == 0 ? kDone : kFailed;
}

}  // namespace

Run declare_messages_export(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_filter(app, options->query);
  app.add_flag("--dead", options->dead, "Dead letters instead of pending messages");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
