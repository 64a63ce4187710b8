// Nodes that post to each other over TLS, and those that are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <vector>

#include "cluster/mesh/http_bus.h"
#include "cluster/mesh/mesh_tls.h"
#include "cluster/mesh/node_probe.h"
#include "net/listener.h"
#include "support/errors.h"
#include "support/eventually.h"
#include "unit/net/loopback.h"
#include "unit/net/tls_authority.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::Client;
using sse::testing::eventually;
using sse::testing::kTimeout;
using sse::testing::TempFolder;
using sse::testing::TlsAuthority;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class TlsNode final : public Bus::Receiver {
 public:
  // `tls`: null for a node in clear.
  TlsNode(const std::string& name, std::shared_ptr<MeshTls> tls) : bus(options(name, std::move(tls)), metrics_) {
    bus.start(*this);
  }
  ~TlsNode() { bus.stop(); }
  TlsNode(const TlsNode&) = delete;
  TlsNode& operator=(const TlsNode&) = delete;

  void received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch) override {
    for (Bus::Incoming& command : commands) command.answer(command.bytes + "!");
  }

  HttpBus::Peer as_peer() const { return {bus.address(), bus.secret(), bus.name()}; }
  int port() const { return net::ListenAddress::parse(bus.address()).port; }
  bool subscribe(const std::string& topic) {
    const auto result = std::make_shared<std::atomic<int>>(-1);
    bus.subscribe({topic}, [result](bool stands) { *result = stands ? 1 : 0; });
    return eventually([&] { return *result != -1; }) && *result == 1;
  }
  Replies start_call(const std::string& topic) { return bus.start_call({{topic, "x"}})->wait(kTimeout).front(); }
  // Waits until it knows why it cannot reach a peer.
  std::string why(const HttpBus::Peer& peer) {
    bus.set_peers({peer});
    eventually([&] { return !bus.unreachable().empty(); });
    const auto all = bus.unreachable();
    return all.empty() ? "" : all.front().why;
  }
  std::uint64_t handshakes(const std::string& result) {
    return metrics_.counter("sse_tls_handshakes_total", "", {{"listener", "cluster"}, {"result", result}}).value();
  }

 private:
  static HttpBus::Options options(const std::string& name, std::shared_ptr<MeshTls> tls) {
    HttpBus::Options options;
    options.node = name + "~1";
    options.secret = "secret of " + name;
    options.listen = "127.0.0.1:0";
    options.ping = 50ms;
    options.lease = 600'000ms;
    options.link.connect_timeout = options.link.answer_timeout = options.link.handshake_timeout = kTimeout;
    options.link.backoff_most = 100ms;
    options.link.tls = std::move(tls);
    return options;
  }
  observe::Registry metrics_;

 public:
  HttpBus bus;
};

class HttpBusTls : public ::testing::Test {
 protected:
  // `ca`: of whom this side accepts certificates; empty: of the authority.
  std::shared_ptr<MeshTls> tls(const TlsAuthority::Issued& own, const std::string& ca = "",
                               const std::string& server_name = "") const {
    return std::make_shared<MeshTls>(MeshTls::Options{.certificate_file = own.file,
                                                      .key_file = own.key,
                                                      .ca_file = ca.empty() ? authority_.file : ca,
                                                      .server_name = server_name});
  }

  const TempFolder folder_;
  const TlsAuthority authority_{folder_, "authority"};
  const TlsAuthority::Issued good_ = authority_.issue("good");
};

TEST_F(HttpBusTls, NodesThatTrustEachOtherExchangeCommands) {
  TlsNode a("a", tls(good_));
  TlsNode b("b", tls(authority_.issue("other")));
  a.bus.set_peers({b.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  ASSERT_TRUE(b.bus.settle(kTimeout));
  ASSERT_TRUE(b.subscribe("t"));
  EXPECT_THAT(a.start_call("t").answers, SizeIs(1));
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(a.bus.start_call({{"t", large}})->wait(kTimeout).front().answers.at(0).bytes, large + "!");
  // The connection is kept.
  EXPECT_EQ(b.handshakes("done"), 1u);
}

TEST_F(HttpBusTls, ACertificateThatIsForServersAloneWillDoForBothSides) {
  TlsNode a("a", tls(authority_.issue("server", "IP:127.0.0.1", 2, "serverAuth")));
  TlsNode b("b", tls(good_));
  a.bus.set_peers({b.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  EXPECT_EQ(a.bus.why_down(), "");
}

TEST_F(HttpBusTls, EachSideSaysWhyItDoesNotTrustTheOther) {
  const TlsAuthority foreign(folder_, "foreign");
  TlsNode good("good", tls(good_));
  {
    TlsNode stranger("stranger", tls(foreign.issue("stranger"), foreign.file));
    EXPECT_THAT(good.why(stranger.as_peer()), HasSubstr("an authority that --cluster-ca here does not list"));
    EXPECT_THAT(stranger.why(good.as_peer()), HasSubstr("an authority that --cluster-ca here does not list"));
  }
  // It trusts the others, but they do not trust it.
  TlsNode half("half", tls(foreign.issue("half")));
  EXPECT_THAT(half.why(good.as_peer()), HasSubstr("of an authority that --cluster-ca of that node does not list"));
}

TEST_F(HttpBusTls, EachSideSaysThatACertificateHasExpired) {
  TlsNode good("good", tls(good_));
  TlsNode expired("expired", tls(authority_.issue("expired", "IP:127.0.0.1", -1)));
  EXPECT_THAT(good.why(expired.as_peer()), HasSubstr("its certificate has expired; renew it there"));
  EXPECT_THAT(expired.why(good.as_peer()), HasSubstr("the certificate of --cluster-cert here has expired"));
}

TEST_F(HttpBusTls, ACertificateMustNameTheAddressOfTheNode) {
  TlsNode a("a", tls(good_));
  TlsNode b("b", tls(good_));
  EXPECT_THAT(a.why({"localhost:" + std::to_string(b.port()), b.bus.secret(), "b"}),
              HasSubstr("its certificate does not name 'localhost'"));
  // A node whose own address it does not name would be refused by all others.
  const TlsAuthority::Issued elsewhere = authority_.issue("elsewhere", "DNS:push.example");
  EXPECT_THAT(sse::testing::refusal_of([&] { TlsNode("c", tls(elsewhere)); }), HasSubstr("does not name '127.0.0.1'"));
  // All nodes may have one name instead.
  TlsNode c("c", tls(elsewhere, "", "push.example"));
  TlsNode d("d", tls(elsewhere, "", "push.example"));
  c.bus.set_peers({d.as_peer()});
  ASSERT_TRUE(c.bus.settle(kTimeout));
  EXPECT_EQ(c.bus.why_down(), "");
}

TEST_F(HttpBusTls, AClientWithoutCertificateLearnsNothing) {
  TlsNode node("node", tls(good_));
  Client client = Client::tcp(node.port());
  const std::unique_ptr<net::TlsClientContext> bare =
      std::make_unique<net::TlsClientContext>(net::TlsClientContext::Options{.ca_file = authority_.file});
  const auto session = bare->connect(client.fd(), "127.0.0.1");
  std::string bytes(net::TlsSession::kMaxRecord, ' ');
  using Step = net::TlsSession::Step;
  Step step = Step::kWantsRead;
  ASSERT_TRUE(eventually([&] { return (step = session->handshake()) == Step::kDone || step == Step::kFailed; }));
  // With TLS 1.3 the server's verdict follows its part of the handshake.
  if (step == Step::kDone) {
    session->write("GET /cluster/v1/who HTTP/1.1\r\nHost: h\r\n\r\n");
    ssize_t n = -1;
    ASSERT_TRUE(eventually([&] { return (n = session->read(bytes.data(), bytes.size())) >= 0 || errno != EAGAIN; }));
    EXPECT_LE(n, 0);
  }
  EXPECT_EQ(session->fault(), net::TlsSession::Fault::kRefusedByPeer);
  EXPECT_THAT(session->problem(), HasSubstr("certificate required"));
  EXPECT_TRUE(eventually([&] { return node.handshakes("failed") == 1; }));
}

TEST_F(HttpBusTls, ClearTextAndTlsRefuseEachOtherAndSayWhatToDo) {
  TlsNode clear("clear", nullptr);
  TlsNode secure("secure", tls(good_));
  EXPECT_THAT(clear.why(secure.as_peer()), HasSubstr("over TLS only; give the other one --cluster-cert"));
  EXPECT_THAT(secure.why(clear.as_peer()), HasSubstr("does not use TLS, and this node does"));
}

TEST_F(HttpBusTls, AProbeTellsANodeThatIsNotTrustedFromNone) {
  TlsNode node("node", tls(good_));
  node.bus.set_hello({{"id", "node"}});
  const NodeProbe there = probe_node(node.bus.address(), kTimeout, tls(good_));
  EXPECT_FALSE(there.not_a_node);
  EXPECT_EQ(there.node_info.at("id"), "node");
  // It may be alive, and its certificate be renewed later.
  const TlsAuthority foreign(folder_, "foreign");
  const NodeProbe untrusted = probe_node(node.bus.address(), kTimeout, tls(foreign.issue("other"), foreign.file));
  EXPECT_FALSE(untrusted.not_a_node);
  EXPECT_TRUE(untrusted.node_info.is_null());
  EXPECT_TRUE(probe_node(node.bus.address(), kTimeout).not_a_node);
}

TEST_F(HttpBusTls, HandshakesThatStallCostNoOtherNodeAnything) {
  TlsNode a("a", tls(good_));
  TlsNode b("b", tls(good_));
  std::vector<Client> stalled;
  for (int i = 0; i < 50; ++i) {
    stalled.push_back(Client::tcp(b.port()));
    // The beginning of a ClientHello, or nothing at all.
    if (i % 2 == 0) stalled.back().send("\x16\x03\x01");
  }
  // Accepts connections, and never answers.
  const net::Listener frozen(net::ListenAddress::parse("127.0.0.1:0"), "");
  a.bus.set_peers({{frozen.address().str(), "s", "frozen"}, b.as_peer()});
  EXPECT_TRUE(eventually([&] {
    for (const HttpBus::Seen& one : a.bus.seen()) {
      if (one.up && one.name == "b~1") return true;
    }
    return false;
  }));
  ASSERT_TRUE(b.bus.settle(kTimeout));
  ASSERT_TRUE(b.subscribe("t"));
  EXPECT_EQ(a.bus.start_call({{"t", "x"}})->wait(kTimeout / 4).front().answers.size(), 1u);
}

TEST_F(HttpBusTls, ReadCertificatesAgainAndConnectsWithThem) {
  TlsNode a("a", tls(authority_.issue("a")));
  TlsNode b("b", tls(good_));
  a.bus.set_peers({b.as_peer()});
  ASSERT_TRUE(a.bus.settle(kTimeout));
  const std::uint64_t before = b.handshakes("done");
  // Both sides use a new authority from now on; what was agreed with the old one is not resumed.
  const TlsAuthority foreign(folder_, "foreign");
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  };
  const TlsAuthority::Issued other = foreign.issue("renewed");
  copy(other.file, folder_.file("a.pem"));
  EXPECT_THAT(sse::testing::refusal_of([&] { a.bus.tls()->reload(); }), HasSubstr("--cluster-key"));
  copy(other.key, folder_.file("a.key"));
  a.bus.tls()->reload();
  EXPECT_TRUE(eventually([&] { return !a.bus.unreachable().empty(); }));
  EXPECT_THAT(a.bus.unreachable().at(0).why, HasSubstr("--cluster-ca of that node does not list"));
  const TlsAuthority::Issued again = authority_.issue("again");
  copy(again.file, folder_.file("a.pem"));
  copy(again.key, folder_.file("a.key"));
  a.bus.tls()->reload();
  EXPECT_TRUE(eventually([&] { return a.bus.unreachable().empty(); }));
  EXPECT_GT(b.handshakes("done"), before);
}

TEST(HttpBusInClear, CallsNoNodeThatTheSecretWouldReachOverANetwork) {
  TlsNode a("a", nullptr);
  EXPECT_THAT(a.why({"192.0.2.1:7600", "s", "far"}), HasSubstr("the secret would travel in clear"));
  EXPECT_THAT(a.bus.why_down(), HasSubstr("--cluster-cert"));
  EXPECT_EQ(a.bus.unreachable().at(0).id, "far");
  EXPECT_EQ(a.bus.unreachable().at(0).address, "192.0.2.1:7600");
}

}  // namespace
}  // namespace sse::cluster
