#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/units.h"
#include "cells.h"
#include "command.h"
#include "table.h"
#include "watch.h"

namespace sse::ctl {
namespace {

// Counts without a decimal point, whatever form they came in.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.15g", value);
  return text;
}

std::string counters(const api::Json& status, const Look& look) {
  const auto found = status.find("counters");
  if (found == status.end() || !found->is_object()) return "";
  std::vector<Field> fields;
  for (const auto& [name, value] : found->items()) {
    if (value.is_number() && value != 0) fields.push_back({name, number(value.get<double>())});
  }
  return fields.empty() ? "" : "\nSince the start\n" + render_fields(fields, look);
}

std::string services(const api::Json& status, const Look& look) {
  Table table({{"SERVICE"}, {"PATH"}, {"CONNECTIONS", true}, {"USERS", true}});
  if (const auto list = status.find("services"); list != status.end() && list->is_array()) {
    for (const api::Json& one : *list) {
      table.add(
          {text_cell(one, "name"), text_cell(one, "path"), text_cell(one, "connections"), text_cell(one, "users")});
    }
  }
  return table.empty() ? "" : '\n' + table.render(look);
}

std::string describe(const api::Json& status, bool ready, const Look& look) {
  const std::string cpu =
      status.contains("cpuMillis") ? format_age(std::chrono::milliseconds(count_in(status, "cpuMillis"))) : "";
  const std::string since = time_cell(status, "startTime");
  std::string up = age_cell(status, "startTime", wall_now());
  if (!up.empty()) up += " (since " + since + ")";
  return render_fields({{"state", text_cell(status, "state"), ready ? Mood::kGood : Mood::kBad},
                        {"server", text_cell(status, "serverId")},
                        {"version", text_cell(status, "version")},
                        {"pid", text_cell(status, "pid")},
                        {"up", up},
                        {"url", text_cell(status, "listen")},
                        {"database", text_cell(status, "database")},
                        {"connections", text_cell(status, "connections")},
                        {"users", text_cell(status, "users")},
                        {"pending", text_cell(status, "pending")},
                        {"memory", size_cell(status, "memoryBytes")},
                        {"cpu", cpu},
                        {"threads", text_cell(status, "threads")},
                        {"loops", text_cell(status, "loops")}},
                       look) +
         services(status, look) + counters(status, look);
}

int run(Context& context) {
  const api::Json status = context.client().status();
  const bool ready = text_cell(status, "state") == "ready";
  Output& out = context.out();
  if (out.for_people()) {
    out.write(describe(status, ready, out.look()));
  } else {
    out.document(status);
  }
  return ready ? kDone : kFailed;
}

}  // namespace

Run declare_status(CLI::App& app) {
  auto watch = std::make_shared<Watch>();
  watch->declare(app);
  return [watch](Context& context) { return watch->run(context, [&] { return run(context); }); };
}

}  // namespace sse::ctl
