#include <memory>

#include "base/shown_json.h"
#include "cells.h"
#include "command.h"
#include "message_filter.h"

namespace sse::ctl {
namespace {

struct Options {
  api::MessageQuery query;
};

int run(const Options& options, Context& context) {
  api::MessageQuery query = options.query;
  query.service = context.service();
  Output& out = context.out();
  MessageId after;
  for (;;) {
    const MessageId before = after;
    const std::string lines = context.client().export_messages(query, after);
    if (!lines.empty()) out.write(shown_json(lines));
    if (after == before) return kDone;
  }
}

}  // namespace

Run declare_messages_export(cli::App& app) {
  auto options = std::make_shared<Options>();
  declare_filter(app, options->query);
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
