#include <map>
#include <regex>
#include <set>
#include <string>

#include "base/text.h"
#include "unit/server/server_fixture.h"

namespace sse::admin {
namespace {

using namespace testing;

// What a reference such as "#/components/schemas/Problem" names.
const Json& referenced(const Json& document, const Json& reference) {
  const Json* at = &document;
  for (const std::string& name : sse::split_list(reference.text().substr(2), '/')) at = &at->at(name);
  return *at;
}

// As much of JSON Schema as openapi.json uses.
class Schema {
 public:
  explicit Schema(const Json& document) : document_(document) {}

  void check(const Json& schema, const Json& value, const std::string& where) const {
    if (schema.contains("$ref")) {
      check(referenced(document_, schema["$ref"]), value, where);
      return;
    }
    if (schema.contains("type")) {
      bool fits = false;
      for (const Json& type : schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]}))
        fits = fits || is_type(value, type);
      EXPECT_TRUE(fits) << where << " is no " << schema["type"] << ": " << value;
    }
    if (schema.contains("enum")) {
      EXPECT_THAT(schema["enum"], ::testing::Contains(value)) << where;
    }
    if (schema.contains("pattern")) {
      EXPECT_TRUE(std::regex_match(value.get<std::string>(), std::regex(schema["pattern"].get<std::string>())))
          << where << ": " << value;
    }
    for (const Json& name : schema.value("required", Json::array()))
      EXPECT_TRUE(value.contains(name.get<std::string>())) << where << " lacks " << name;
    if (value.is_array() && schema.contains("items")) {
      for (const Json& item : value) check(schema["items"], item, where + "[]");
    }
    if (!value.is_object()) return;
    for (const auto& [name, field] : value.items()) {
      if (schema.value("properties", Json::object()).contains(name)) {
        check(schema["properties"][name], field, where + "." + name);
      } else if (schema.contains("additionalProperties")) {
        check(schema["additionalProperties"], field, where + "." + name);
      } else {
        EXPECT_FALSE(schema.contains("properties")) << where << " does not describe " << name;
      }
    }
  }

 private:
  static bool is_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "boolean") return value.is_boolean();
    return type == "null" && value.is_null();
  }

  const Json& document_;
};

class OpenApiTest : public ServerTest {};

TEST_F(OpenApiTest, DescribesWhatTheServerAnswers) {
  start();
  const OpenStream page =
      stream("userId=9&name=N&tenantId=t&channel=c&access-token=kkkkkkkk&listeners=a&clientInstanceTime=5&screen=1x1");
  const std::string pending = admin_post("/api/v1/send", {{"target", {{"users", {"7"}}}}, {"qos", true}})["id"];
  const Json document = admin_get("/api/openapi.json");
  EXPECT_EQ(document.value("openapi", "").substr(0, 3), "3.1");
  const Schema schema(document);
  // In an order that leaves the message there until all have looked.
  const std::map<std::string, int> order{{"setDurations", 1},     {"clearDurations", 1}, {"deleteMessage", 1},
                                         {"closeConnections", 2}, {"purgeMessages", 3},  {"drainNode", 4},
                                         {"undrainNode", 5}};
  std::multimap<int, std::pair<std::string, std::string>> operations;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      if (method == "parameters") continue;
      const auto later = order.find(operation["operationId"]);
      operations.emplace(later == order.end() ? 0 : later->second, std::pair(path, method));
    }
  }
  EXPECT_EQ(operations.size(), 38U);
  for (const auto& [when, where] : operations) {
    const auto& [path, method] = where;
    const Json& operation = document["paths"][path][method];
    const std::string name = operation["operationId"];
    std::string target = path;
    if (const std::size_t at = target.find("{id}"); at != std::string::npos)
      target.replace(at, 4, path.find("messages") != std::string::npos ? pending : page.id);
    for (const Json& parameter : operation.value("parameters", Json::array())) {
      const Json& described = parameter.contains("$ref") ? referenced(document, parameter["$ref"]) : parameter;
      if (described["in"] != "query") continue;
      const std::string parameter_name = described["name"];
      const std::string value = parameter_name == "service"    ? "defaultConnectionService"
                                : parameter_name == "id"       ? (path.starts_with("/api/v1/dead") ? "" : "9")
                                : parameter_name == "user"     ? "9"
                                : parameter_name == "name"     ? (path == "/api/v1/channel" ? "c" : "")
                                : parameter_name == "kind"     ? "user"
                                : parameter_name == "pageNum"  ? "1"
                                : parameter_name == "pageSize" ? "10"
                                                               : "";
      if (!value.empty()) target += (target.find('?') == std::string::npos ? "?" : "&") + parameter_name + "=" + value;
    }
    auto http = admin();
    httplib::Result got =
        method == "get" ? http.Get(target)
        : method == "delete"
            ? http.Delete(target)
            : http.Post(
                  target,
                  operation.contains("requestBody")
                      ? operation["requestBody"]["content"]["application/json"].value("example", Json::object()).dump()
                      : "",
                  "application/json");
    ASSERT_TRUE(got) << name;
    ASSERT_EQ(got->status, 200) << name << " " << target << ": " << got->body;
    const Json content = operation["responses"]["200"].value("content", Json::object());
    if (content.contains("application/json")) {
      EXPECT_EQ(got->get_header_value("Content-Type"), "application/json") << name;
      schema.check(content["application/json"]["schema"], event::parse_json_or_null(got->body), name);
    }
    static const std::set<std::string> kListings{"listConnections", "listMessages", "listUsers",  "listUserIds",
                                                 "listTenants",     "listChannels", "listTokens", "explain"};
    if (kListings.contains(name)) {
      EXPECT_EQ(Json::parse(got->body)["list"].size(), 1U) << name << " had nothing to check";
    }
  }
}

TEST_F(OpenApiTest, DescribesProblems) {
  start();
  const Json document = admin_get("/api/openapi.json");
  const Schema schema(document);
  const Json& problem = document["components"]["schemas"]["Problem"];
  schema.check(problem, admin_get("/nothing", 404), "404");
  schema.check(problem, admin_get("/api/v1/connections/x", 400), "400");
  schema.check(problem, admin_post("/api/v1/status", {}, 405), "405");
}

TEST_F(OpenApiTest, NamesEveryFieldTheServerTakes) {
  start();
  const Json document = admin_get("/api/openapi.json");
  // The server's own sentence lists what it takes.
  const auto taken = [&](const std::string& target) {
    const std::string detail = admin_post(target, {{"no-such-field", 1}}, 400).value("detail", "");
    return detail;
  };
  for (const auto& [target, name] :
       std::map<std::string, std::string>{{"/api/v1/send", "SendRequest"},
                                          {"/api/v1/durations", "SetDuration"},
                                          {"/api/v1/durations/clear", "ClearDuration"},
                                          {"/api/v1/connections/close", "CloseRequest"},
                                          {"/api/v1/tickets", "TicketRequest"},
                                          {"/api/v1/channels/explain", "ChannelQuestion"}}) {
    const std::string detail = taken(target);
    for (const auto& [field, schema] : document["components"]["schemas"][name]["properties"].items())
      EXPECT_THAT(detail, ::testing::HasSubstr(field)) << target;
  }
}

}  // namespace
}  // namespace sse::admin
