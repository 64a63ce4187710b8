#include <cstddef>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "package/own_repository.h"
#include "sse-server/authenticators.h"
#include "sse-server/server.h"
#include "support/errors.h"
#include "unit/server/server_fixture.h"

namespace sse {
namespace {

using namespace testing;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Knows a page by a word of the program's own.
class WordAuthenticator final : public Authenticator {
 public:
  std::optional<User> authenticate(const PageRequest& request) override {
    if (request.parameter("word") != "sesame") return std::nullopt;
    User user;
    user.identity.user = UserId(request.parameter("name"));
    user.identity.tenant = TenantId("readers");
    return user;
  }
};

// A registry of one process; its nodes do not expire.
struct OwnRegistry {
  std::mutex mutex;
  std::map<std::string, ClusterMember> members;
};

class OwnDiscovery final : public Discovery {
 public:
  explicit OwnDiscovery(std::shared_ptr<OwnRegistry> registry) : registry_(std::move(registry)) {}
  unsigned join(const ClusterMember& self) override {
    const std::scoped_lock lock(registry_->mutex);
    if (registry_->members.contains(self.id)) throw Error(ErrorCode::kConflict, "node '" + self.id + "' is live");
    id_ = self.id;
    ClusterMember entry = self;
    entry.number = static_cast<unsigned>(registry_->members.size()) + 1;
    registry_->members[id_] = entry;
    return entry.number;
  }
  void refresh(const ClusterMember& self) override {
    const std::scoped_lock lock(registry_->mutex);
    registry_->members[self.id] = self;
  }
  void leave() noexcept override {
    const std::scoped_lock lock(registry_->mutex);
    registry_->members.erase(id_);
  }
  std::vector<ClusterMember> nodes() override {
    const std::scoped_lock lock(registry_->mutex);
    std::vector<ClusterMember> nodes;
    for (const auto& [id, member] : registry_->members) nodes.push_back(member);
    return nodes;
  }

 private:
  const std::shared_ptr<OwnRegistry> registry_;
  std::string id_;
};

// The pages of ServerTest, at a server that only the public headers describe.
class PublicServerTest : public ServerTest {
 protected:
  void start_public(Callbacks callbacks = {}, std::unique_ptr<Authenticator> authenticator = nullptr) {
    public_ =
        std::make_unique<Server>(static_cast<ServerOptions&>(options_), std::move(callbacks), std::move(authenticator));
    public_->start();
  }
  void TearDown() override {
    if (public_) public_->stop();
  }
  Client page() const {
    const std::string url = public_->url();
    return Client::tcp(std::atoi(url.c_str() + url.rfind(':') + 1));
  }
  OpenStream stream(const std::string& query, const std::string& headers = "") const {
    OpenStream out{page(), "", ""};
    out.client.send("GET /my-sse/connect?" + query + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    finish_opening(out);
    return out;
  }

  std::unique_ptr<Server> public_;
};

TEST_F(PublicServerTest, NamesItselfAndWhereItServes) {
  start_public();
  EXPECT_THAT(public_->url(), HasSubstr("http://127.0.0.1:"));
  EXPECT_EQ(public_->admin_address(), options_.admin);
  EXPECT_EQ(public_->server_id(), "node-1");
  EXPECT_EQ(public_->service().name(), "defaultConnectionService");
  EXPECT_THROW(public_->service("other"), Error);
  EXPECT_THAT(public_->metrics(), HasSubstr("\nsse_"));
  EXPECT_FALSE(version().empty());
}

TEST_F(PublicServerTest, AsksTheAuthenticatorOfTheProgram) {
  start_public({}, std::make_unique<WordAuthenticator>());
  EXPECT_EQ(page().get("/my-sse/connect?name=ann").status, 401);
  const OpenStream ann = stream("name=ann&word=sesame");
  const auto open = public_->service().connections();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open.front().id.str(), ann.id);
  EXPECT_EQ(open.front().identity.tenant, TenantId("readers"));
  EXPECT_EQ(open.front().attributes.parameter("word"), "sesame");
}

TEST_F(PublicServerTest, OffersTheAuthenticatorsOfTheProgram) {
  const std::string key = folder_.file("key");
  std::ofstream(key) << std::string(64, 'k');
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  JwtOptions jwt;
  jwt.secret_file = key;
  start_public({}, make_jwt_authenticator(jwt));
  EXPECT_EQ(page().get("/my-sse/connect?userId=ann").status, 401);
  public_.reset();
  options_.trusted_proxies = {"127.0.0.1"};
  start_public({}, make_header_authenticator());
  EXPECT_EQ(page().get("/my-sse/connect?userId=ann").status, 401);
  const OpenStream ann = stream("", "X-Sse-User: ann\r\n");
  EXPECT_EQ(public_->service().names(TargetKind::kUser), std::vector<std::string>{"ann"});
  EXPECT_THROW(make_webhook_authenticator({}), Error);
}

TEST_F(PublicServerTest, SendsToTheStreamsOfTheTarget) {
  start_public();
  Service service = public_->service();
  OpenStream ann = stream("userId=ann&tenantId=acme&channel=news");
  OpenStream bob = stream("userId=bob&tenantId=acme");
  const SendResult sent = service.send({Target::user(UserId("ann")), "note", "for ann", true});
  EXPECT_NE(sent.id, 0U);
  EXPECT_EQ(sent.delivered, 1U);
  EXPECT_EQ(sent.pending, 1U);
  EXPECT_TRUE(ann.client.receive_until("for ann"));
  EXPECT_EQ(service.send({Target::tenant(TenantId("acme")), "note", "both"}).delivered, 2U);
  EXPECT_EQ(service.send({Target::channel(ChannelName("news")), "note", "news"}).delivered, 1U);
  EXPECT_EQ(service.send({Target::member(UserId("bob"), TenantId("acme")), "note", "member"}).delivered, 1U);
  EXPECT_EQ(service.send({Target::member(UserId("bob"), TenantId("other")), "note", "nobody"}).delivered, 0U);
  EXPECT_EQ(service.send({Target::all().only_listening(), "note", "no handler"}).delivered, 0U);
  EXPECT_TRUE(bob.client.receive_until("member"));
}

TEST_F(PublicServerTest, SendsToAUnionOnceAndNotToTheClientThatIsLeftOut) {
  start_public();
  Service service = public_->service();
  OpenStream ann = stream("userId=ann&tenantId=acme&channel=news&clientId=tab-1");
  OpenStream bob = stream("userId=bob&tenantId=other&channel=news");
  SendRequest request{Target::channel(ChannelName("news")), "note", "to the union"};
  request.also = {Target::user(UserId("ann")), Target::tenant(TenantId("acme")), Target::user(UserId("joe"))};
  const SendResult sent = service.send(request);
  EXPECT_EQ(sent.delivered, 2U);
  ASSERT_EQ(sent.recipients.size(), 4U);
  EXPECT_EQ(sent.recipients[0].kind, TargetKind::kChannel);
  EXPECT_EQ(sent.recipients[2].name, "joe");
  request.except = "tab-1";
  EXPECT_EQ(service.send(request).delivered, 1U);
  EXPECT_EQ(service.send({Target::channel(ChannelName("news"), TenantId("other")), "note", "to other"}).delivered, 1U);
  request.qos = true;
  EXPECT_EQ(testing::error_of([&] { service.send(request); }).code(), ErrorCode::kInvalidArgument);
  request.qos = false;
  request.also = {Target::all()};
  EXPECT_THAT(service.send_all({request}).front().refusal->sentence, HasSubstr("all streams of the service already"));
  service.send({Target::all(), "note", "end"});
  EXPECT_TRUE(ann.client.receive_until("data:end"));
  EXPECT_EQ(ann.client.received().find("to other"), std::string::npos);
  EXPECT_TRUE(bob.client.receive_until("to other"));
}

TEST_F(PublicServerTest, TheProgramDecidesAboutPublicationsThatARuleLeavesToIt) {
  Callbacks callbacks;
  callbacks.publish = [](const PublishRequest& request) {
    if (request.connection.identity.user.str() != "ann") throw Refusal(403, "only ann may say something");
    if (request.channel.str() + " " + request.event + " " + request.json != "room.1 say [\"hi\"]")
      throw Refusal(422, "what is it?");
  };
  options_.channel_rules = {"*=anyone"};
  options_.publish_rules = {"room.*=hook"};
  start_public(std::move(callbacks), std::make_unique<WordAuthenticator>());
  OpenStream ann = stream("word=sesame&name=ann&channel=room.1");
  OpenStream bob = stream("word=sesame&name=bob&channel=room.1");
  const auto say = [&](const OpenStream& from, const std::string& name) {
    return page()
        .post("/my-sse/connect/publish.do?word=sesame&name=" + name,
              R"({"connectionId":")" + from.id + R"(","channel":"room.1","event":"say","data":["hi"]})",
              "Content-Type: application/json\r\n")
        .status;
  };
  EXPECT_EQ(say(bob, "bob"), 403);
  EXPECT_EQ(say(ann, "ann"), 200);
  EXPECT_TRUE(bob.client.receive_until(R"(data:{"from":{"tenant":"readers","user":"ann"},"data":["hi"]})"));
  EXPECT_THROW(public_->set_publish_rules({"room.*"}), Error);
  public_->set_publish_rules({});
  EXPECT_EQ(say(ann, "ann"), 403);
}

TEST_F(PublicServerTest, TheProgramDecidesAboutTheChannelsThatARuleLeavesToIt) {
  Callbacks callbacks;
  callbacks.connect = [](ConnectRequest& request) {
    for (RequestedChannel& one : request.channels) {
      if (one.right == ChannelRight::kApplication && request.identity.user.str() == "ann")
        one.right = ChannelRight::kAllowed;
    }
  };
  options_.channel_rules = {"team.*=hook", "public.*=anyone"};
  start_public(std::move(callbacks), std::make_unique<WordAuthenticator>());
  const Service service = public_->service();
  OpenStream ann = stream("word=sesame&name=ann&channel=team.7");
  OpenStream bob = stream("word=sesame&name=bob&channel=team.7");
  OpenStream cid = stream("word=sesame&name=cid&channel=public.news");
  EXPECT_THAT(service.names(TargetKind::kChannel), ElementsAre("public.news", "team.7"));
  EXPECT_EQ(service.connections({.channel = ChannelName("team.7")}).size(), 1U);
  EXPECT_TRUE(bob.client.receive_until(R"({"channel":"team.7","reason":"application"})"));
  EXPECT_THROW(public_->set_channel_rules({"team.*=nobody"}), Error);
  public_->set_channel_rules({"team.*=hook"});
  EXPECT_TRUE(cid.client.receive_until(R"({"channel":"public.news","reason":"revoked"})"));
  EXPECT_THAT(service.names(TargetKind::kChannel), ElementsAre("team.7"));
  public_->set_channel_rules({});
  EXPECT_TRUE(ann.client.receive_until(R"({"channel":"team.7","reason":"revoked"})"));
}

TEST_F(PublicServerTest, RefusesWhatAStreamCannotCarry) {
  start_public();
  Service service = public_->service();
  const auto code_of = [&](SendRequest request) {
    try {
      service.send(std::move(request));
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code_of({Target::user(UserId("")), "note", "to nobody"}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({Target::all(), "two\nlines", ""}), ErrorCode::kInvalidArgument);
}

TEST_F(PublicServerTest, SendsSeveralEventsAndRefusesOnlyTheInvalidOnes) {
  start_public();
  Service service = public_->service();
  OpenStream ann = stream("userId=ann");
  const std::vector<SendOutcome> sent = service.send_all({{Target::user(UserId("ann")), "note", "first", true},
                                                          {Target::user(UserId("")), "note", "to no user"},
                                                          {Target::all(), "two\nlines", ""},
                                                          {Target::user(UserId("ann")), "note", "last"}});
  ASSERT_EQ(sent.size(), 4U);
  EXPECT_EQ(sent[0].result.delivered, 1U);
  EXPECT_EQ(sent[0].result.pending, 1U);
  ASSERT_TRUE(sent[1].refusal);
  EXPECT_EQ(sent[1].refusal->code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(sent[1].refusal->sentence.empty());
  EXPECT_TRUE(sent[2].refusal);
  EXPECT_EQ(sent[3].result.delivered, 1U);
  EXPECT_GT(sent[3].result.id, sent[0].result.id);
  EXPECT_TRUE(ann.client.receive_until("last"));
  EXPECT_TRUE(service.send_all({}).empty());
}

TEST_F(PublicServerTest, SendsWithoutWaitingAlsoInTheCallbackOfASend) {
  for (const std::size_t history : {std::size_t{0}, std::size_t{10}}) {
    options_.history.events = history;
    start_public();
    Service service = public_->service();
    OpenStream ann = stream("userId=ann");
    std::promise<SendOutcome> first;
    std::promise<SendOutcome> second;
    service.send_async({Target::user(UserId("ann")), "note", "first", true}, [&](SendOutcome outcome) {
      first.set_value(std::move(outcome));
      service.send_async({Target::user(UserId("ann")), "note", "second"},
                         [&](SendOutcome sent) { second.set_value(std::move(sent)); });
    });
    EXPECT_EQ(first.get_future().get().result.pending, 1U);
    EXPECT_EQ(second.get_future().get().result.delivered, 1U);
    EXPECT_TRUE(ann.client.receive_until("second"));
    public_.reset();
  }
}

TEST_F(PublicServerTest, ReportsWhyAnAsynchronousSendIsRefused) {
  start_public();
  Service service = public_->service();
  for (const SendRequest& request : {SendRequest{Target::user(UserId("")), "note", "to no user"},
                                     SendRequest{Target::all(), "two\nlines", "", true}}) {
    std::promise<SendOutcome> refused;
    service.send_async(request, [&](SendOutcome outcome) { refused.set_value(std::move(outcome)); });
    const SendOutcome outcome = refused.get_future().get();
    ASSERT_TRUE(outcome.refusal);
    EXPECT_EQ(outcome.refusal->code, ErrorCode::kInvalidArgument);
  }
  public_->stop();
  bool called = false;
  EXPECT_THROW(service.send_async({Target::all(), "note", ""}, [&](const SendOutcome&) { called = true; }), Error);
  EXPECT_FALSE(called);
}

TEST_F(PublicServerTest, SurvivesACallbackOfASendThatThrows) {
  start_public();
  Service service = public_->service();
  OpenStream ann = stream("userId=ann");
  service.send_async({Target::all(), "note", "thrown at"}, [](const SendOutcome&) { throw std::runtime_error("bug"); });
  EXPECT_TRUE(ann.client.receive_until("thrown at"));
  EXPECT_EQ(service.send({Target::all(), "note", "after it"}).delivered, 1U);
}

TEST_F(PublicServerTest, WaitsForTheConfirmations) {
  options_.qos_ack_timeout = std::chrono::milliseconds(0);
  start_public();
  OpenStream ann = stream("userId=ann");
  const SendResult sent = public_->service().send_and_wait({Target::user(UserId("ann")), "note", "hello"},
                                                           std::chrono::milliseconds(30'000));
  ASSERT_EQ(sent.recipients.size(), 1U);
  EXPECT_EQ(sent.recipients.front().state, "confirmed");
}

TEST_F(PublicServerTest, CreatesTicketsThatOpenOneStreamBesideItsAuthenticator) {
  start_public({}, std::make_unique<WordAuthenticator>());
  Service service = public_->service();
  User ann;
  ann.identity.user = UserId("ann");
  ann.identity.tenant = TenantId("acme");
  const Ticket ticket = service.create_ticket(ann);
  EXPECT_EQ(page().get("/my-sse/connect?ticket=" + ticket.text + "x").status, 401);
  const OpenStream open = stream("ticket=" + ticket.text);
  EXPECT_EQ(service.connection(ConnectionId(std::stoull(open.id)))->identity.tenant, TenantId("acme"));
  EXPECT_EQ(page().get("/my-sse/connect?ticket=" + ticket.text).status, 401);
  EXPECT_THROW(service.create_ticket(User{}), Error);
  EXPECT_THROW(service.create_ticket(ann, std::chrono::hours(1)), Error);
}

TEST_F(PublicServerTest, ListsAndClosesConnections) {
  start_public();
  Service service = public_->service();
  const OpenStream ann = stream("userId=ann");
  OpenStream bob = stream("userId=bob");
  EXPECT_EQ(service.size(), 2U);
  EXPECT_THAT(service.names(TargetKind::kUser), ElementsAre("ann", "bob"));
  ConnectionFilter filter;
  filter.user = UserId("bob");
  ASSERT_EQ(service.connections(filter).size(), 1U);
  const ConnectionId id = service.connections(filter).front().id;
  EXPECT_EQ(service.connection(id)->identity.user, UserId("bob"));
  EXPECT_TRUE(service.close(id));
  EXPECT_TRUE(bob.client.receive_until("connect-close"));
  EXPECT_FALSE(service.close(id));
  EXPECT_FALSE(service.connection(id));
  EXPECT_EQ(service.close(Target::user(UserId("ann"))), 1U);
}

TEST_F(PublicServerTest, StoresMessagesInTheRepositoryOfTheProgram) {
  OwnRepository* own = nullptr;
  Components components;
  components.repository = [&own](MessageIds& ids) {
    auto repository = std::make_unique<OwnRepository>(ids);
    own = repository.get();
    return repository;
  };
  public_ = std::make_unique<Server>(static_cast<ServerOptions&>(options_), Callbacks(), std::move(components));
  public_->start();
  Service service = public_->service();
  const SendResult sent = service.send({Target::user(UserId("ann")), "note", "stored for later", true});
  EXPECT_EQ(sent.delivered, 0U);
  EXPECT_EQ(sent.pending, 1U);
  EXPECT_EQ(own->size(), 1U);
  OpenStream ann = stream("userId=ann");
  EXPECT_TRUE(ann.client.receive_until("stored for later"));
  EXPECT_TRUE(eventually([&] { return own->size() == 0; })) << "the TCP of the client confirms it";
  std::promise<SendOutcome> second;
  service.send_async({Target::user(UserId("ann")), "note", "without waiting", true},
                     [&](SendOutcome outcome) { second.set_value(std::move(outcome)); });
  EXPECT_EQ(second.get_future().get().result.delivered, 1U);
  EXPECT_EQ(own->added(), 2U);
  // What it cannot do is said, and the rest of the admin API goes on.
  EXPECT_EQ(admin_get("/api/v1/status")["database"], "the program's own");
  EXPECT_THAT(admin_get("/api/v1/messages", 404)["detail"].get<std::string>(), HasSubstr("cannot list its messages"));
  EXPECT_EQ(admin_get("/api/v1/dead")["total"], 0);
  EXPECT_EQ(admin_get("/api/v1/connections")["total"], 1);
}

TEST_F(PublicServerTest, FindsOtherNodesWithTheDiscoveryOfTheProgram) {
  const std::string secret = folder_.file("secret");
  std::ofstream(secret) << std::string(64, 's');
  std::filesystem::permissions(secret, std::filesystem::perms::owner_read);
  options_.cluster_listen = "127.0.0.1:0";
  options_.cluster_secret_file = secret;
  const auto registry = std::make_shared<OwnRegistry>();
  const auto node = [&](const std::string& id) {
    options_.server_id = id;
    options_.admin = "unix:" + folder_.file(id + ".sock");
    Components components;
    components.discovery = std::make_unique<OwnDiscovery>(registry);
    auto server = std::make_unique<Server>(static_cast<ServerOptions&>(options_), Callbacks(), std::move(components));
    server->start();
    return server;
  };
  public_ = node("a");
  const std::unique_ptr<Server> other = node("b");
  OpenStream ann = stream("userId=ann");
  EXPECT_TRUE(eventually([&] {
    return other->service().send({Target::user(UserId("ann")), "note", "from the other node"}).delivered == 1;
  }));
  EXPECT_TRUE(ann.client.receive_until("from the other node"));
  EXPECT_TRUE(eventually([&] { return admin_get("/api/v1/nodes")["total"] == 2; }));
  EXPECT_THROW(node("b"), Error) << "a live node has the id";
  other->stop();
  const std::scoped_lock lock(registry->mutex);
  EXPECT_THAT(registry->members, ElementsAre(::testing::Key("a")));
}

TEST_F(PublicServerTest, RefusesComponentsThatOtherOptionsExclude) {
  const auto refused = [&](const auto& change) {
    ServerOptions options = options_;
    Components components;
    change(options, components);
    try {
      const Server server(options, {}, std::move(components));
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      return std::string(e.what());
    }
    return std::string("not refused");
  };
  const auto registry = std::make_shared<OwnRegistry>();
  EXPECT_THAT(refused([](ServerOptions&, Components& components) {
                components.repository = [](MessageIds&) { return nullptr; };
              }),
              HasSubstr("no repository"));
  EXPECT_THAT(refused([](ServerOptions& options, Components& components) {
                options.cluster = "redis://127.0.0.1:1";
                components.repository = [](MessageIds& ids) { return std::make_unique<OwnRepository>(ids); };
              }),
              HasSubstr("--cluster"));
  EXPECT_THAT(refused([&](ServerOptions& options, Components& components) {
                options.discovery = "static:127.0.0.1:1";
                components.discovery = std::make_unique<OwnDiscovery>(registry);
              }),
              HasSubstr("--discovery"));
  EXPECT_THAT(refused([&](ServerOptions& options, Components& components) {
                options.cluster_listen = "127.0.0.1:0";
                components.discovery = std::make_unique<OwnDiscovery>(registry);
              }),
              HasSubstr("cluster_secret_file"));
  EXPECT_THAT(refused([](ServerOptions& options, Components&) {
                options.discovery = "own:";
                options.cluster_listen = "127.0.0.1:0";
              }),
              HasSubstr("is not known"));
}

TEST_F(PublicServerTest, AnswersMessagesOnlyWithACallback) {
  start_public();
  const OpenStream ann = stream("userId=ann");
  const std::string path = "/my-sse/connect/message/hello.do?userId=ann&connectionId=" + ann.id;
  EXPECT_EQ(page().post(path, "{}", "Content-Type: application/json\r\n").status, 404);
}

TEST_F(PublicServerTest, HandsUploadsToItsCallback) {
  Callbacks callbacks;
  callbacks.upload = [](const UploadRequest& request) -> Answer {
    if (request.files.size() != 1 || request.path != "photo") return {400, "null", "one photo"};
    return {200, "\"" + request.fields.at("title") + " " + request.files.front().filename + "\""};
  };
  start_public(std::move(callbacks));
  const OpenStream ann = stream("userId=ann");
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nsea\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n123\r\n--b--\r\n";
  const Response answer = page().post("/my-sse/connect/upload/photo.do?userId=ann&connectionId=" + ann.id, body,
                                      "Content-Type: multipart/form-data; boundary=b\r\n");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"sea a.png\""));
}

TEST_F(PublicServerTest, GivesTheLogToTheSink) {
  std::mutex mutex;
  std::vector<std::string> lines;
  options_.log_level = LogLevel::kDebug;
  options_.log_sink = [&](const LogRecord& record) {
    const std::scoped_lock lock(mutex);
    lines.emplace_back(record.message);
  };
  Callbacks callbacks;
  callbacks.disconnected = [](const DisconnectedEvent&) { throw std::runtime_error("the program's fault"); };
  start_public(std::move(callbacks));
  stream("userId=ann");
  public_.reset();
  const std::scoped_lock lock(mutex);
  EXPECT_THAT(lines, ::testing::Contains("a callback of the program threw"));
}

}  // namespace
}  // namespace sse
