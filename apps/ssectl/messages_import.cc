#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "cells.h"
#include "command.h"
#include "input.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kLinesPerCall = 1000;
constexpr std::size_t kBytesPerCall = std::size_t{4} * 1024 * 1024;

struct Options {
  std::string file;
};

struct Counts {
  std::uint64_t accepted = 0;
  std::uint64_t repeated = 0;
  std::uint64_t refused = 0;
};

void send(const std::string& lines, std::uint64_t first, Context& context, Counts& counts) {
  std::uint64_t line = first;
  for (const api::Json& answer : context.client().send_lines(lines)) {
    if (answer.contains("status")) {
      ++counts.refused;
      context.out().note("line " + std::to_string(line) + ": " + text_cell(answer, "detail"));
    } else {
      ++(answer.value("repeated", false) ? counts.repeated : counts.accepted);
    }
    ++line;
  }
}

int run(const Options& options, Context& context) {
  const std::string all = read_file(options.file);
  std::string_view rest = all;
  Counts counts;
  std::string batch;
  std::uint64_t in_batch = 0;
  std::uint64_t number = 0;  // of lines that hold something
  const auto flush = [&] {
    if (in_batch > 0) send(batch, number - in_batch + 1, context, counts);
    batch.clear();
    in_batch = 0;
  };
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    batch.append(line).append("\n");
    ++in_batch;
    ++number;
    if (in_batch >= kLinesPerCall || batch.size() >= kBytesPerCall) flush();
  }
  flush();
  Output& out = context.out();
  if (out.for_people()) {
    out.write("imported " + plural(counts.accepted, "message") + ", " + std::to_string(counts.repeated) +
              " were there already, " + std::to_string(counts.refused) + " refused\n");
  } else {
    out.document({{"accepted", counts.accepted}, {"repeated", counts.repeated}, {"refused", counts.refused}});
  }
  return counts.refused == 0 ? kDone : kFailed;
}

}  // namespace

Run declare_messages_import(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "Lines of messages export; - for standard input").required().type_name("");
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
