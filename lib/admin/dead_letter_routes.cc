#include "admin/dead_letter_routes.h"

#include <cstdint>
#include <utility>

#include "admin/admin_http.h"
#include "admin/message_parameters.h"
#include "application/connection_json.h"
#include "base/error.h"

namespace sse::admin {
namespace {

using event::Json;

// A requeue sends so many messages at a time.
constexpr std::size_t kRequeuedAtOnce = 256;
constexpr std::size_t kRequeuedBytes = std::size_t{4} * 1024 * 1024;

Json dead_json(const store::DeadLetter& letter) {
  Json json = application::to_json(letter.message, true);
  json["diedTime"] = to_millis(letter.died);
  return json;
}

}  // namespace

DeadLetterRoutes::DeadLetterRoutes(net::Router& router, const std::vector<application::Service>& services,
                                   MessageStores stores, observe::Registry& metrics)
    : services_(services),
      stores_(std::move(stores)),
      requeued_(metrics.counter("sse_dead_requeued_total", "Dead letters that an operator requeued")),
      purged_(metrics.counter("sse_dead_purged_total", "Dead letters that an operator purged")) {
  router.get("/api/v1/dead", [this](const httplib::Request& req, httplib::Response& res) { list(req, res); });
  router.del("/api/v1/dead", [this](const httplib::Request& req, httplib::Response& res) { purge(req, res); });
  router.post("/api/v1/dead/requeue",
              [this](const httplib::Request& req, httplib::Response& res) { requeue(req, res); });
}

void DeadLetterRoutes::list(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = message_filter(req, services_, {"pageNum", "pageSize"});
  const Page page = Page::of(req);
  stores_.move_expired();
  Json list = Json::array();
  for (const store::DeadLetter& letter : stores_.dead.list_dead(filter, page.skip(), page.size))
    list.push_back(dead_json(letter));
  write_json(res, page.json(stores_.dead.count_dead(filter), std::move(list)));
}

void DeadLetterRoutes::requeue(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = message_filter(req, services_, {"id"});
  const MessageId id = id_parameter(req, "id");
  stores_.move_expired();
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
    if (rows.size() >= kRequeuedAtOnce || bytes >= kRequeuedBytes) send();
  }
  send();
  write_json(res, {{"ids", std::move(ids)}});
}

void DeadLetterRoutes::purge(const httplib::Request& req, httplib::Response& res) {
  const store::MessageFilter filter = message_filter(req, services_, {"id"});
  const std::uint64_t deleted = stores_.dead.purge_dead(id_parameter(req, "id"), filter);
  purged_.add(deleted);
  write_json(res, {{"deleted", deleted}});
}

}  // namespace sse::admin
