#include "admin/node_routes.h"

#include <utility>

#include "admin/admin_http.h"
#include "admin/node_operations.h"
#include "admin/unreachable_nodes.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/core/raw_http.h"

namespace sse::admin {
namespace {

using event::Json;

constexpr std::uint64_t kMaxRate = 1'000'000;
constexpr std::uint64_t kDefaultRate = 500;

}  // namespace

NodeRoutes::NodeRoutes(net::Router& router, Dependencies dependencies) : deps_(std::move(dependencies)) {
  router.get("/api/v1/nodes", [this](const httplib::Request&, httplib::Response& res) { write_json(res, nodes()); });
  router.post("/api/v1/nodes/drain", [this](const httplib::Request& req, httplib::Response& res) { drain(req, res); });
  router.post("/api/v1/nodes/undrain",
              [this](const httplib::Request& req, httplib::Response& res) { undrain(req, res); });
}

Json NodeRoutes::nodes() const {
  const auto row = [&](const std::string& id, const Json& facts, bool self) {
    Json json = facts.is_object() ? facts : Json::object();
    json["id"] = id;
    json["self"] = self;
    return json;
  };
  Json list = Json::array();
  if (deps_.cluster == nullptr) {
    list.push_back(row(deps_.server_id, deps_.facts(), true));
    return {{"total", 1}, {"cluster", false}, {"degraded", nullptr}, {"list", std::move(list)}};
  }
  for (const cluster::Node& node : deps_.cluster->nodes()) {
    const bool self = node.id == deps_.server_id;
    // Its current facts are newer than those it last published.
    list.push_back(row(node.id, self ? deps_.facts() : node.facts, self));
    list.back()["number"] = node.number;
    if (const std::string why = cluster::why_refused(node.wire, node.id); !why.empty()) list.back()["refused"] = why;
    if (!node.unlisted.empty()) list.back()["unlisted"] = node.unlisted;
  }
  const std::string degraded = deps_.cluster->degraded();
  Json answer{{"total", list.size()},
              {"cluster", true},
              {"degraded", degraded.empty() ? Json(nullptr) : Json(degraded)},
              {"list", std::move(list)}};
  if (deps_.bus != nullptr) answer["unreachable"] = unreachable_nodes(*deps_.bus);
  return answer;
}

void NodeRoutes::drain(const httplib::Request& req, httplib::Response& res) const {
  const Json asked = event::parse_json(req.body, "the request body");
  event::require_fields(asked, {"node", "rate"}, "the request to drain");
  const std::string id = event::string_field(asked, "node");
  std::uint64_t rate = kDefaultRate;
  if (const auto given = asked.find("rate"); given != asked.end()) {
    if (!given->is_number_unsigned() || *given == 0 || *given > kMaxRate) {
      throw Error(ErrorCode::kInvalidArgument,
                  "field 'rate', streams a second, must be a whole number from 1 to " + std::to_string(kMaxRate));
    }
    rate = given->get<std::uint64_t>();
  }
  if (id == deps_.server_id) {
    // Read before the drain, which ends the first streams immediately.
    const Json streams = deps_.facts().value("connections", 0);
    deps_.drain(static_cast<unsigned>(rate));
    write_json(res, {{"node", id}, {"rate", rate}, {"streams", streams}});
    return;
  }
  pass_on(id, "drain", req.body, res);
}

void NodeRoutes::undrain(const httplib::Request& req, httplib::Response& res) const {
  const Json asked = event::parse_json(req.body, "the request body");
  event::require_fields(asked, {"node"}, "the request to undrain");
  const std::string id = event::string_field(asked, "node");
  if (id != deps_.server_id) return pass_on(id, "undrain", req.body, res);
  deps_.undrain();
  write_json(res, {{"node", id}, {"state", "ready"}});
}

void NodeRoutes::pass_on(const std::string& node, const char* operation, const std::string& body,
                         httplib::Response& res) const {
  if (deps_.cluster != nullptr) {
    for (const cluster::Node& one : deps_.cluster->nodes()) {
      if (one.id != node) continue;
      const cluster::RawResponse response =
          response_of(deps_.cluster->pass_on(one.number, cluster::AdminCommand{operation, {}, {}, {}, body}));
      res.status = response.status;
      res.set_content(response.body, response.type);
      return;
    }
  }
  throw Error(ErrorCode::kNotFound, "no node '" + printable(node, 60) + "' is in the cluster");
}

}  // namespace sse::admin
