#include "admin/export_routes.h"

#include <cstdint>
#include <string>
#include <utility>

#include "admin/admin_http.h"
#include "admin/message_parameters.h"
#include "api/send_reader.h"
#include "api/types.h"
#include "application/connection_json.h"
#include "event/event.h"
#include "store/imported.h"

namespace sse::admin {
namespace {

constexpr std::size_t kExportMessages = 1000;
constexpr std::size_t kExportBytes = std::size_t{4} * 1024 * 1024;

// The message as a line of an export.
api::SendRequest line_of(const store::PendingMessage& message) {
  api::SendRequest line;
  line.service = message.service;
  line.target.kind = message.recipient.kind;
  if (line.target.kind != event::TargetKind::kAll) line.target.names.push_back(message.recipient.name);
  line.target.listening = message.listening;
  line.event = message.event;
  line.data = message.data;
  line.qos = true;
  line.key = store::import_key(store::first_id(message), message.recipient);
  line.collapse = message.collapse;
  line.notify = message.notify;
  return line;
}

}  // namespace

ExportRoutes::ExportRoutes(net::Router& router, const std::vector<application::Service>& services, MessageStores stores)
    : services_(services), stores_(std::move(stores)) {
  router.get("/api/v1/export",
             [this](const httplib::Request& req, httplib::Response& res) { export_pending(req, res); });
}

// Writes a page; its headers say how to continue. With `ids` each line begins with the id of its message, and omitted
// messages have a line, too: for the node that merges the pages of several nodes.
void ExportRoutes::export_pending(const httplib::Request& req, httplib::Response& res) {
  store::MessageFilter filter = message_filter(req, services_, {"after", "ids", "dead"});
  if (req.get_param_value("dead") == "true") {
    export_dead(req, res, std::move(filter));
    return;
  }
  if (!req.has_param("after")) res.set_header("X-Sse-Total", std::to_string(stores_.catalog.count(filter)));
  filter.after = id_parameter(req, "after");
  const bool with_ids = req.get_param_value("ids") == "true";
  std::string lines;
  MessageId last;
  std::uint64_t expired = 0;
  std::uint64_t damaged = 0;
  const WallTime now = application::clock_of(services_).wall_now();
  const std::vector<store::PendingMessage> rows = stores_.catalog.list(filter, 0, kExportMessages);
  bool complete = rows.size() < kExportMessages;
  std::vector<MessageId> ids;
  std::uint64_t bytes = 0;
  for (const store::PendingMessage& row : rows) {
    if (row.id != last && bytes >= kExportBytes) {
      complete = false;
      break;
    }
    bytes += row.data_size;
    if (row.id != last) ids.push_back(row.id);
    last = row.id;
  }
  for (const store::PendingMessage& message : stores_.catalog.find_all(ids)) {
    const bool wanted = (filter.service.empty() || filter.service == message.service) &&
                        (!filter.kind || *filter.kind == message.recipient.kind) &&
                        (filter.recipient.empty() || filter.recipient == message.recipient.name);
    if (!wanted) continue;
    if (with_ids) lines.append(message.id.str()).append(1, ' ');
    if (message.damaged || message.expires <= now) {
      ++(message.damaged ? damaged : expired);
      if (with_ids) lines += message.damaged ? "damaged\n" : "expired\n";
      continue;
    }
    api::SendRequest line = line_of(message);
    line.ttl = message.expires - now;
    lines += event::dump_json(api::to_json(line)) + "\n";
  }
  if (last.valid()) res.set_header("X-Sse-Last-Id", last.str());
  res.set_header("X-Sse-Complete", complete ? "true" : "false");
  res.set_header("X-Sse-Expired", std::to_string(expired));
  res.set_header("X-Sse-Damaged", std::to_string(damaged));
  res.set_content(lines, kNdjson);
}

void ExportRoutes::export_dead(const httplib::Request& req, httplib::Response& res, store::MessageFilter filter) {
  stores_.move_expired();
  if (!req.has_param("after")) res.set_header("X-Sse-Total", std::to_string(stores_.dead.count_dead(filter)));
  filter.after = id_parameter(req, "after");
  const bool with_ids = req.get_param_value("ids") == "true";
  const std::vector<store::DeadLetter> page = stores_.dead.page_dead(filter, kExportMessages);
  std::string lines;
  MessageId last;
  bool complete = page.size() < kExportMessages;
  for (const store::DeadLetter& letter : page) {
    const store::PendingMessage& message = letter.message;
    if (message.id != last && lines.size() >= kExportBytes) {
      complete = false;
      break;
    }
    last = message.id;
    api::SendRequest line = line_of(message);
    line.dead = api::DeadLetterFields{to_millis(message.created), to_millis(message.expires), to_millis(letter.died),
                                      message.attempts};
    if (with_ids) lines.append(last.str()).append(1, ' ');
    lines += event::dump_json(api::to_json(line)) + "\n";
  }
  if (last.valid()) res.set_header("X-Sse-Last-Id", last.str());
  res.set_header("X-Sse-Complete", complete ? "true" : "false");
  res.set_content(lines, kNdjson);
}

}  // namespace sse::admin
