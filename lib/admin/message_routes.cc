#include "admin/message_routes.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "admin/admin_http.h"
#include "admin/local_header.h"
#include "api/send_reader.h"
#include "application/connection_json.h"
#include "base/slot.h"
#include "base/text.h"
#include "base/units.h"
#include "event/event.h"
#include "store/imported.h"
#include "store/message_row.h"

namespace sse::admin {
namespace {

using event::Json;

constexpr const char* kNdjson = "application/x-ndjson";
constexpr std::size_t kMaxBulkLines = 100'000;
constexpr std::size_t kSliceLines = 500;
// Requests that may block a worker until they are confirmed: a quarter of the workers.
constexpr std::size_t kMaxWaiting = 16;
constexpr std::size_t kRequeuedAtOnce = 256;
constexpr std::size_t kExportMessages = 1000;
constexpr std::size_t kExportBytes = std::size_t{4} * 1024 * 1024;

Json dead_json(const store::DeadLetter& letter) {
  Json json = application::to_json(letter.message, true);
  json["diedTime"] = to_millis(letter.died);
  return json;
}

// Adds the nodes that did not report the delivery states of their messages.
Json with_missing(Json document, const std::vector<std::string>& missing) {
  if (!missing.empty()) document["missing"] = missing;
  return document;
}

MessageId id_parameter(const httplib::Request& req, const char* name) {
  if (!req.has_param(name)) return {};
  const auto id = parse_id(req.get_param_value(name));
  if (!id) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(req.get_param_value(name), 40) + "' is not an id; ids are decimal numbers");
  }
  return MessageId(*id);
}

}  // namespace

delivery::SendRequest send_request(api::SendRequest&& api_request) {
  delivery::SendRequest request{std::move(api_request.target),
                                std::move(api_request.event),
                                std::move(api_request.data),
                                api_request.qos,
                                api_request.ttl.value_or(std::chrono::milliseconds(0)),
                                std::move(api_request.key),
                                std::move(api_request.collapse)};
  request.original = store::original_in(request.key);
  if (!request.original.valid()) return request;
  if (request.target.names.size() > 1)
    throw Error(ErrorCode::kInvalidArgument, "an imported message has one recipient; this one names several");
  // Computed anew, because an older version wrote keys in which the checksums of two names could collide.
  request.key = store::import_key(
      request.original, {request.target.kind, request.target.names.empty() ? "" : request.target.names.front()});
  return request;
}

MessageRoutes::MessageRoutes(net::Router& router, const std::vector<application::Service>& services, Stores stores,
                             observe::Registry& metrics)
    : services_(services),
      stores_(stores),
      requeued_(metrics.counter("sse_dead_requeued_total", "Dead letters that an operator requeued")),
      purged_dead_(metrics.counter("sse_dead_purged_total", "Dead letters that an operator purged")) {
  const auto bound = [this](void (MessageRoutes::*handle)(const httplib::Request&, httplib::Response&)) {
    return [this, handle](const httplib::Request& req, httplib::Response& res) { (this->*handle)(req, res); };
  };
  router.post("/api/v1/send", bound(&MessageRoutes::send));
  router.get("/api/v1/messages", bound(&MessageRoutes::list));
  router.del("/api/v1/messages", bound(&MessageRoutes::purge));
  router.get("/api/v1/messages/{}", bound(&MessageRoutes::show));
  router.del("/api/v1/messages/{}", bound(&MessageRoutes::remove));
  router.post("/api/v1/messages/{}/retry", bound(&MessageRoutes::retry));
  router.get("/api/v1/messages/{}/trace", bound(&MessageRoutes::trace));
  router.get("/api/v1/export", bound(&MessageRoutes::export_lines));
  router.get("/api/v1/dead", bound(&MessageRoutes::list_dead));
  router.del("/api/v1/dead", bound(&MessageRoutes::purge_dead));
  router.post("/api/v1/dead/requeue", bound(&MessageRoutes::requeue));
}

void MessageRoutes::send(const httplib::Request& req, httplib::Response& res) {
  if (to_lower(req.get_header_value("Content-Type")).starts_with(kNdjson)) {
    send_bulk(req, res);
    return;
  }
  api::SendRequest api_request = api::read_send_request(req.body, "the request body");
  if (api_request.dead) throw Error(ErrorCode::kInvalidArgument, "dead is for bulk requests, not for single messages");
  delivery::Sender& sender = *find_service(services_, api_request.service.str()).sender;
  const auto wait = api_request.wait;
  delivery::SendRequest request = send_request(std::move(api_request));
  request.local = req.has_header(kLocalHeader);
  if (!wait) {
    res.set_content(application::to_text(sender.send(request)), kJsonType);
    return;
  }
  // Only requests that AsyncSend leaves: bodies on disk, imports, requests for this node alone.
  const Slot slot(waiting_, kMaxWaiting);
  if (!slot)
    throw Error(ErrorCode::kUnavailable, std::to_string(kMaxWaiting) +
                                             " large requests are waiting for confirmations, and this one was not "
                                             "sent; try again later, or send without waiting");
  res.set_content(application::to_text(sender.send_and_wait(request, *wait)), kJsonType);
}

namespace {

// Lines of one bulk request to one service.
struct Slice {
  std::vector<delivery::SendRequest> requests;
  std::vector<std::size_t> lines;
};

std::string problem_line(ErrorCode code, const std::string& sentence) {
  return event::dump_json(problem(http_status(code), std::string(error_name(code)), sentence));
}

// Reads a line of `messages export --dead`.
store::DeadLetter dead_letter(api::SendRequest&& line) {
  // A send checks its event itself; a dead letter may be sent later, when it is requeued.
  event::validate({line.event, line.data, "", std::nullopt});
  store::DeadLetter letter;
  store::PendingMessage& message = letter.message;
  message.id = store::original_in(line.key);
  if (!message.id.valid())
    throw Error(ErrorCode::kInvalidArgument, "a line of a dead letter needs the id it was exported with");
  if (line.target.names.size() > 1)
    throw Error(ErrorCode::kInvalidArgument, "a dead letter has one recipient; this one names several");
  message.service = line.service;
  message.recipient = {line.target.kind, line.target.names.empty() ? "" : line.target.names.front()};
  message.listening = line.target.listening;
  message.event = std::move(line.event);
  message.data = std::move(line.data);
  message.data_size = message.data.size();
  message.collapse = std::move(line.collapse);
  message.created = from_millis(line.dead->created);
  message.expires = from_millis(line.dead->expires);
  message.attempts = static_cast<std::uint32_t>(std::min<std::uint64_t>(line.dead->attempts, UINT32_MAX));
  letter.died = from_millis(line.dead->died);
  return letter;
}

std::string letter_answer(MessageId id, store::LetterOutcome outcome) {
  if (outcome == store::LetterOutcome::kLimitReached) {
    return problem_line(ErrorCode::kLimitExceeded,
                        "the dead letters have reached --qos-max-dead or 64 MiB; purge or requeue some");
  }
  Json json{{"id", id.str()}, {"delivered", 0}, {"pending", 0}, {"recipients", Json::array()}};
  if (outcome == store::LetterOutcome::kKnown) json["repeated"] = true;
  return event::dump_json(json);
}

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
  return line;
}

// Calls `use` with each line that is not blank.
template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) use(line);
  }
}

}  // namespace

// Reads a request a line and writes a result or a problem a line. All messages with qos share a commit. Without qos in
// a cluster, the first lines are sent to the other nodes while the next are parsed. On a single node the streams would
// only compete with the parser for the core.
void MessageRoutes::send_bulk(const httplib::Request& req, httplib::Response& res) {
  std::size_t count = 0;
  for_each_line(req.body, [&](std::string_view) { ++count; });
  if (count > kMaxBulkLines) {
    throw Error(ErrorCode::kTooLarge,
                "more than " + std::to_string(kMaxBulkLines) + " messages in one request; send several");
  }
  const bool local = req.has_header(kLocalHeader);
  const bool with_qos = req.body.find("\"qos\"") != std::string::npos;
  std::vector<std::string> answers(count);
  std::map<delivery::Sender*, Slice> slices;
  std::vector<std::pair<delivery::Sender::Sending, std::vector<std::size_t>>> sending;
  const auto start = [&](delivery::Sender& sender, Slice& slice) {
    sending.emplace_back(sender.start_all(std::move(slice.requests)), std::move(slice.lines));
    slice = {};
  };
  std::vector<store::DeadLetter> letters;
  std::vector<std::size_t> letter_lines;
  std::size_t number = 0;
  for_each_line(req.body, [&](std::string_view line) {
    delivery::Sender* sender = nullptr;
    try {
      api::SendRequest api_request = api::read_send_request(line, "the line");
      if (api_request.dead) {
        api_request.service = find_service(services_, api_request.service.str()).sender->service();
        letters.push_back(dead_letter(std::move(api_request)));
        letter_lines.push_back(number++);
        return;
      }
      if (api_request.wait)
        throw Error(ErrorCode::kInvalidArgument, "wait is for single messages, not for bulk requests");
      sender = find_service(services_, api_request.service.str()).sender.get();
      Slice& slice = slices[sender];
      slice.requests.push_back(send_request(std::move(api_request)));
      slice.requests.back().local = local;
      slice.lines.push_back(number);
    } catch (const Error& e) {
      answers[number] = problem_line(e.code(), e.what());
    }
    ++number;
    if (sender == nullptr || with_qos || local || !sender->in_cluster()) return;
    if (Slice& slice = slices[sender]; slice.requests.size() >= kSliceLines) start(*sender, slice);
  });
  for (auto& [sender, slice] : slices) {
    if (!slice.requests.empty()) start(*sender, slice);
  }
  if (!letters.empty()) {
    const std::vector<store::LetterOutcome> outcomes = stores_.dead.add_dead(letters);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      answers[letter_lines[i]] = letter_answer(letters[i].message.id, outcomes[i]);
  }
  for (auto& [underway, lines] : sending) {
    const std::vector<delivery::SendOutcome> outcomes = underway.finish();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const auto& refusal = outcomes[i].refusal;
      answers[lines[i]] =
          refusal ? problem_line(refusal->code, refusal->sentence) : application::to_text(outcomes[i].result);
    }
  }
  std::string out;
  for (const std::string& line : answers) out.append(line).append(1, '\n');
  res.set_content(out, kNdjson);
}

void MessageRoutes::list(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = filter_of(req, {"pageNum", "pageSize"});
  const Page page = Page::of(req);
  expire();
  flush_attempts();
  const auto rows = stores_.catalog.list(filter, page.skip(), page.size);
  std::vector<std::string> missing;
  Json list = described(rows, false, missing);
  write_json(res, with_missing(page.json(stores_.catalog.count(filter), std::move(list)), missing));
}

void MessageRoutes::show(const httplib::Request& req, httplib::Response& res) {
  expire();
  flush_attempts();
  std::vector<std::string> missing;
  Json list = described(require_message(MessageId(path_id(req))), true, missing);
  write_json(res, with_missing({{"list", std::move(list)}}, missing));
}

void MessageRoutes::remove(const httplib::Request& req, httplib::Response& res) {
  const MessageId id(path_id(req));
  require_message(id);
  write_json(res, {{"deleted", stores_.catalog.erase(id)}});
}

void MessageRoutes::purge(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = filter_of(req, {});
  write_json(res, {{"deleted", stores_.catalog.purge(filter)}});
}

void MessageRoutes::retry(const httplib::Request& req, httplib::Response& res) {
  const auto rows = require_message(MessageId(path_id(req)));
  std::uint64_t delivered = 0;
  for (const application::Service& service : services_) delivered += service.sender->retry(rows);
  write_json(res, {{"delivered", delivered}});
}

// Shows the recorded steps of a message, and the delivery states of its pending rows. For a message from before a
// restart the first steps are derived from its id and its row.
void MessageRoutes::trace(const httplib::Request& req, httplib::Response& res) {
  const MessageId id(path_id(req));
  Json steps = Json::array();
  std::set<std::pair<event::TargetKind, std::string>> expired;
  const auto rows = stores_.catalog.find(id);
  std::map<ConnectionId, bool> open;
  for (const application::Service& service : services_) {
    for (const delivery::Trace::Entry& entry : service.sender->trace().of(id)) {
      Json step{{"time", to_millis(entry.time)},
                {"what", step_name(entry.what)},
                {"service", service.sender->service().str()}};
      if (!entry.name.empty() || entry.kind == event::TargetKind::kAll) {
        store::put_recipient(step, entry.kind, entry.name);
      }
      if (entry.connection.valid()) step["connection"] = entry.connection.str();
      if (entry.reason) step["reason"] = net::reason_name(*entry.reason);
      if (entry.what == delivery::Trace::Step::kExpired) expired.emplace(entry.kind, entry.name);
      if (entry.what == delivery::Trace::Step::kSent) {
        const auto [known, fresh] = open.try_emplace(entry.connection, false);
        if (fresh) known->second = service.sender->hub().describe(entry.connection).has_value();
        step["streamOpen"] = known->second;
      }
      steps.push_back(std::move(step));
    }
  }
  store::MessageFilter its_own;
  its_own.message = id;
  // The trace has also expirations without a dead letter; dead letters have also those from before a restart.
  for (const store::DeadLetter& letter : stores_.dead.list_dead(its_own, 0, event::kMaxNames)) {
    if (!expired.emplace(letter.message.recipient.kind, letter.message.recipient.name).second) continue;
    steps.push_back({{"time", to_millis(letter.died)}, {"what", "expired"}, {"service", letter.message.service.str()}});
    store::put_recipient(steps.back(), letter.message.recipient.kind, letter.message.recipient.name);
  }
  if (steps.empty() && rows.empty())
    throw Error(ErrorCode::kNotFound, "nothing is recorded of a message " + id.str() + "; it was settled too long ago");
  // Steps recorded after a restart lack the first ones.
  const bool begun = std::ranges::any_of(steps, [](const Json& step) { return step.value("what", "") == "committed"; });
  if (!begun && !rows.empty()) {
    const std::string service = rows.front().service.str();
    Json whole = Json::array();
    whole.push_back({{"time", to_millis(rows.front().created)}, {"what", "accepted"}, {"service", service}});
    whole.push_back(
        {{"time", to_millis(IdGenerator::time_of(id.value()))}, {"what", "committed"}, {"service", service}});
    for (Json& step : steps) whole.push_back(std::move(step));
    steps = std::move(whole);
  }
  std::vector<std::string> missing;
  Json pending = described(rows, false, missing);
  write_json(res,
             with_missing({{"id", id.str()}, {"list", std::move(steps)}, {"pending", std::move(pending)}}, missing));
}

// Writes a page; its headers say how to continue. With `ids` each line begins with the id of its message, and omitted
// messages have a line, too: for the node that merges the pages of several nodes.
void MessageRoutes::export_lines(const httplib::Request& req, httplib::Response& res) {
  store::MessageFilter filter = filter_of(req, {"after", "ids", "dead"});
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

void MessageRoutes::export_dead(const httplib::Request& req, httplib::Response& res, store::MessageFilter filter) {
  expire();
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

void MessageRoutes::list_dead(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = filter_of(req, {"pageNum", "pageSize"});
  const Page page = Page::of(req);
  expire();
  Json list = Json::array();
  for (const store::DeadLetter& letter : stores_.dead.list_dead(filter, page.skip(), page.size))
    list.push_back(dead_json(letter));
  write_json(res, page.json(stores_.dead.count_dead(filter), std::move(list)));
}

void MessageRoutes::requeue(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = filter_of(req, {"id"});
  const MessageId id = id_parameter(req, "id");
  expire();
  Json ids = Json::array();
  store::MessageFilter its_own = filter;
  its_own.message = id;
  const bool known = !id.valid() || !stores_.dead.list_dead(its_own, 0, 1).empty();
  const std::vector<MessageId> fresh = stores_.dead.requeue(id, filter, application::clock_of(services_).wall_now());
  if (fresh.empty() && !known) throw Error(ErrorCode::kNotFound, "no dead letter of message " + id.str());
  requeued_.add(fresh.size());
  std::vector<store::PendingMessage> rows;
  std::size_t bytes = 0;
  const auto send = [&] {
    for (const application::Service& service : services_) service.sender->send_requeued(rows);
    rows.clear();
    bytes = 0;
  };
  for (const MessageId message : fresh) {
    ids.push_back(message.str());
    for (store::PendingMessage& row : stores_.catalog.find(message)) {
      bytes += row.data.size();
      rows.push_back(std::move(row));
    }
    if (rows.size() >= kRequeuedAtOnce || bytes >= kExportBytes) send();
  }
  send();
  write_json(res, {{"ids", std::move(ids)}});
}

void MessageRoutes::purge_dead(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = filter_of(req, {"id"});
  const std::uint64_t deleted = stores_.dead.purge_dead(id_parameter(req, "id"), filter);
  purged_dead_.add(deleted);
  write_json(res, {{"deleted", deleted}});
}

store::MessageFilter MessageRoutes::filter_of(const httplib::Request& req,
                                              std::initializer_list<std::string_view> also) const {
  for (const auto& [name, value] : req.params) {
    if (name == "service" || name == "kind" || name == "recipient" || name == "tenant" || name == "event") continue;
    if (std::ranges::find(also, name) == also.end()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "unknown parameter '" + printable(name, 60) + "'; see /api/openapi.json");
    }
  }
  store::MessageFilter filter;
  if (req.has_param("service"))
    filter.service = find_service(services_, req.get_param_value("service")).sender->service();
  if (req.has_param("kind")) filter.kind = event::kind_from_name(req.get_param_value("kind"));
  filter.recipient = req.get_param_value("recipient");
  if (const std::string tenant = req.get_param_value("tenant"); !tenant.empty()) {
    if (!filter.kind || filter.recipient.empty())
      throw Error(ErrorCode::kInvalidArgument, "tenant needs kind=user and recipient: a user of that tenant");
    const event::ApiName member = event::to_target_name(*filter.kind, filter.recipient, tenant);
    filter.kind = member.kind;
    filter.recipient = member.name;
  }
  filter.event = req.get_param_value("event");
  return filter;
}

// `with_data`: all rows are of one message, and the first one gets its data.
Json MessageRoutes::described(const std::vector<store::PendingMessage>& rows, bool with_data,
                              std::vector<std::string>& missing) const {
  Json list = Json::array();
  for (const store::PendingMessage& row : rows) list.push_back(application::to_json(row, with_data && list.empty()));
  const WallTime now = application::clock_of(services_).wall_now();
  for (const application::Service& service : services_) {
    std::vector<store::PendingMessage> ours;
    std::vector<std::size_t> indexes;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].service != service.sender->service()) continue;
      ours.push_back(rows[i]);
      ours.back().data.clear();
      indexes.push_back(i);
    }
    const std::vector<hub::DeliveryState> places = service.sender->find_delivery_states(ours, missing);
    for (std::size_t n = 0; n < places.size(); ++n) {
      Json& json = list[indexes[n]];
      json["state"] = ours[n].damaged          ? "damaged"
                      : ours[n].expires <= now ? "expired"
                                               : std::string(delivery::state_name(places[n]));
      if (places[n].connection.valid()) json["connection"] = places[n].connection.str();
    }
  }
  return list;
}

std::vector<store::PendingMessage> MessageRoutes::require_message(MessageId id) const {
  auto rows = stores_.catalog.find(id);
  if (rows.empty()) throw Error(ErrorCode::kNotFound, "no message " + id.str() + " is pending");
  return rows;
}

void MessageRoutes::flush_attempts() const {
  for (const application::Service& service : services_) service.sender->flush_attempts();
}

}  // namespace sse::admin
