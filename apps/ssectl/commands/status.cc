#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/units.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/nodes/table.h"
#include "ssectl/commands/status_counters.h"
#include "ssectl/context/watch.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

std::string services(const api::Json& status, const TableStyle& style) {
  Table table({{"SERVICE"}, {"PATH"}, right_aligned("CONNECTIONS"), right_aligned("USERS")});
  if (const auto list = status.find("services"); list != status.end() && list->is_array()) {
    for (const api::Json& one : *list) {
      table.add(
          {text_cell(one, "name"), text_cell(one, "path"), text_cell(one, "connections"), text_cell(one, "users")});
    }
  }
  return table.empty() ? "" : '\n' + table.render(style);
}

bool is_ready(const api::Json& status) {
  return text_cell(status, "state") == "ready";
}

// `ok, 4.2ms; of other nodes: failing: …`; empty without a canary.
std::string canary_text(const api::Json& status) {
  const auto found = status.find("canary");
  if (found == status.end() || !found->is_object()) return "";
  const auto side = [&](const char* name) {
    const auto of = found->find(name);
    if (of == found->end() || !of->is_object()) return std::string();
    const std::string why = text_cell(*of, "error");
    std::string text = text_cell(*of, "state") + (why.empty() ? "" : ": " + why);
    if (why.empty() && !text_cell(*of, "lastMicros").empty()) {
      const std::uint64_t tenths = count_in(*of, "lastMicros") / 100;
      text += ", " + std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + "ms";
    }
    return text;
  };
  if (text_cell(*found, "paused") == "true") return "paused";
  const std::string other = side("other");
  return side("own") + (other.empty() ? "" : "; of other nodes: " + other);
}

std::string describe(const api::Json& status, const TableStyle& style) {
  const std::string cpu =
      status.contains("cpuMillis") ? format_age(std::chrono::milliseconds(count_in(status, "cpuMillis"))) : "";
  const std::string since = time_cell(status, "startTime");
  std::string up = age_cell(status, "startTime", wall_now());
  if (!up.empty()) up += " (since " + since + ")";
  std::string cluster;
  if (const auto found = status.find("cluster"); found != status.end() && found->is_object()) {
    const std::string why = text_cell(*found, "degraded");
    cluster = text_cell(*found, "address") + ", " + plural(count_in(*found, "nodes"), "node") +
              (why.empty() ? "" : "; degraded: " + why);
    if (const std::string unlisted = text_cell(*found, "unlisted"); !unlisted.empty()) cluster += "; " + unlisted;
    if (const auto nodes = found->find("unreachable"); nodes != found->end() && why.empty()) {
      for (const api::Json& node : *nodes)
        cluster += "; " + text_cell(node, "address") + " cannot be reached: " + text_cell(node, "error");
    }
  }
  const std::string canary = canary_text(status);
  return render_fields(
             {{"state", text_cell(status, "state"), is_ready(status) ? CellStyle::kGood : CellStyle::kBad},
              {"server", text_cell(status, "serverId")},
              {"version", text_cell(status, "version")},
              {"pid", text_cell(status, "pid")},
              {"up", up},
              {"url", text_cell(status, "listen")},
              {"cluster", cluster, cluster.find("degraded") == std::string::npos ? CellStyle::kPlain : CellStyle::kBad},
              {"canary", canary, canary.find("failing") == std::string::npos ? CellStyle::kPlain : CellStyle::kBad},
              {"database", text_cell(status, "database")},
              {"connections", text_cell(status, "connections")},
              {"users", text_cell(status, "users")},
              {"pending", text_cell(status, "pending")},
              {"memory", size_cell(status, "memoryBytes")},
              {"cpu", cpu},
              {"threads", text_cell(status, "threads")},
              {"loops", text_cell(status, "loops")}},
             style) +
         services(status, style) + status_counters(status, style);
}

int run_cluster(Context& context) {
  const api::Json answer = context.client().list_nodes();
  Output& out = context.out();
  write_nodes(answer, out);
  bool good = !note_degraded(answer, out);
  for (const api::Json& one : answer.at("list")) good = good && is_ready(one);
  return good ? kDone : kFailed;
}

int run(bool cluster, Context& context) {
  if (cluster) return run_cluster(context);
  const api::Json status = context.client().status();
  context.out().result(status, describe);
  return is_ready(status) ? kDone : kFailed;
}

}  // namespace

Run declare_status(cli::App& app) {
  auto cluster = std::make_shared<bool>(false);
  app.add_flag("--cluster", *cluster, "Show all servers of the cluster, one a line");
  auto watch = std::make_shared<Watch>();
  watch->declare(app);
  return [cluster, watch](Context& context) { return watch->run(context, [&] { return run(*cluster, context); }); };
}

}  // namespace sse::ctl
