#include "admin/message_routes.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "admin/admin_http.h"
#include "admin/message_parameters.h"
#include "application/connection_json.h"
#include "base/error.h"
#include "event/json.h"
#include "store/message_row.h"

namespace sse::admin {
namespace {

using event::Json;

// Adds the nodes that did not report the delivery states of their messages.
Json with_missing(Json document, const std::vector<std::string>& missing) {
  if (!missing.empty()) document["missing"] = missing;
  return document;
}

}  // namespace

MessageRoutes::MessageRoutes(net::Router& router, const std::vector<application::Service>& services,
                             MessageStores stores)
    : services_(services), stores_(std::move(stores)) {
  const auto bound = [this](void (MessageRoutes::*handle)(const httplib::Request&, httplib::Response&)) {
    return [this, handle](const httplib::Request& req, httplib::Response& res) { (this->*handle)(req, res); };
  };
  router.get("/api/v1/messages", bound(&MessageRoutes::list));
  router.del("/api/v1/messages", bound(&MessageRoutes::purge));
  router.get("/api/v1/messages/{}", bound(&MessageRoutes::show));
  router.del("/api/v1/messages/{}", bound(&MessageRoutes::remove));
  router.post("/api/v1/messages/{}/retry", bound(&MessageRoutes::retry));
  router.get("/api/v1/messages/{}/trace", bound(&MessageRoutes::trace));
}

void MessageRoutes::list(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = message_filter(req, services_, {"pageNum", "pageSize"});
  const Page page = Page::of(req);
  stores_.move_expired();
  flush_attempts();
  const auto rows = stores_.catalog.list(filter, page.skip(), page.size);
  std::vector<std::string> missing;
  Json list = described(rows, false, missing);
  write_json(res, with_missing(page.json(stores_.catalog.count(filter), std::move(list)), missing));
}

void MessageRoutes::show(const httplib::Request& req, httplib::Response& res) {
  stores_.move_expired();
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
  const store::MessageFilter filter = message_filter(req, services_, {});
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
  std::optional<TraceContext> context;
  for (const application::Service& service : services_) {
    if (!context) context = service.sender->trace().context(id);
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
        if (fresh) known->second = service.sender->hub().directory().describe(entry.connection).has_value();
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
  Json story{{"id", id.str()}, {"list", std::move(steps)}, {"pending", std::move(pending)}};
  if (context) story["traceparent"] = traceparent_text(*context);
  write_json(res, with_missing(std::move(story), missing));
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
