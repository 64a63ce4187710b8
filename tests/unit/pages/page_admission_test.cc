#include "pages/page_admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/memory/memory_tickets.h"

namespace sse::pages {
namespace {

using ::testing::HasSubstr;

using Access = OriginPolicy::Access;

// Admits the user that the parameter `as` names, and remembers the address of the client.
class NamedUser final : public auth::Authenticator {
 public:
  std::optional<auth::User> authenticate(const auth::PageRequest& request) override {
    address = request.address();
    from_proxy = request.from_trusted_proxy();
    if (request.parameter("as") == "broken") throw std::runtime_error("a bug");
    if (request.parameter("as") == "away") throw Error(ErrorCode::kUnavailable, "the directory is away");
    if (request.parameter("as") == "expired") throw Error(ErrorCode::kUnauthenticated, "the token has expired");
    if (request.parameter("as").empty()) return std::nullopt;
    return auth::User{{UserId(request.parameter("as")), TenantId(), AccessToken()}, ""};
  }
  std::string address;
  bool from_proxy = false;
};

class PageAdmissionTest : public ::testing::Test {
 protected:
  net::AdmitResult admit(const std::string& target, const std::string& headers = "",
                         Access access = Access::kWrite) const {
    const std::string text = "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" + headers + "\r\n";
    std::size_t scanned = 0;
    const net::HeadScan scan = net::scan_head(text, scanned);
    EXPECT_EQ(scan.status, net::HeadScan::Status::kComplete);
    return admission_.admit(scan.head, {"10.0.0.1", 1}, access);
  }
  static httplib::Request request(const std::string& target) {
    httplib::Request req;
    req.method = "POST";
    req.target = target;
    req.remote_addr = "10.0.0.1";
    return req;
  }

  NamedUser authenticator_;
  const auth::TrustedProxies proxies_{std::vector<std::string>{"10.0.0.0/8"}};
  const OriginPolicy origins_{{"https://a.example"}, {}, false};
  const PageAdmission admission_{authenticator_, proxies_, origins_};
};

TEST_F(PageAdmissionTest, AdmitsAnAuthenticatedUserFromTheHead) {
  const net::AdmitResult result = admit("/p/connect?as=1", "X-Forwarded-For: 192.0.2.7\r\n");
  EXPECT_FALSE(result.refusal);
  EXPECT_TRUE(result.admission);
  EXPECT_EQ(authenticator_.address, "192.0.2.7");
  EXPECT_TRUE(authenticator_.from_proxy);
}

TEST_F(PageAdmissionTest, RefusesWithoutAUserAndNamesTheScheme) {
  const net::AdmitResult result = admit("/p/connect");
  ASSERT_TRUE(result.refusal);
  EXPECT_EQ(result.refusal->status, 401);
  EXPECT_EQ(result.refusal->headers, "WWW-Authenticate: Bearer\r\n");
}

TEST_F(PageAdmissionTest, SaysWhatIsWrongWithCredentials) {
  EXPECT_EQ(admit("/p/connect?as=expired").refusal->status, 401);
  EXPECT_EQ(admit("/p/connect?as=expired").refusal->headers,
            "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"the token has expired\"\r\n");
  EXPECT_EQ(admit("/p/connect", "Authorization: bearer abc\r\n").refusal->headers,
            "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"the token is not accepted\"\r\n");
  EXPECT_EQ(admit("/p/connect", "Authorization: Basic abc\r\n").refusal->headers, "WWW-Authenticate: Bearer\r\n");
  httplib::Request with_token = request("/p");
  with_token.set_header("Authorization", "Bearer abc");
  EXPECT_THROW(admission_.authenticate(with_token), Error);
}

class PageAdmissionWithTickets : public PageAdmissionTest {
 protected:
  net::AdmitResult admit_post(const std::string& target) const {
    const std::string text = "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    std::size_t scanned = 0;
    return with_tickets_.admit(net::scan_head(text, scanned).head, {"10.0.0.1", 1}, Access::kWrite);
  }

  observe::Registry metrics_;
  store::MemoryTickets store_{{10, mebibytes(1)}, Clock::system()};
  auth::Tickets tickets_{store_, 0, Clock::system(), metrics_};
  const PageAdmission with_tickets_{authenticator_, proxies_, origins_, &tickets_};
};

TEST_F(PageAdmissionWithTickets, ATicketAdmitsABodyAndIsNotUsedUp) {
  const std::string text =
      tickets_.create(ServiceName("s"), {{UserId("ann"), TenantId(), AccessToken()}, ""}, kTicketLifetime).text;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(admit_post("/p/connect?ticket=" + text).refusal);
  const httplib::Request get = request("/p/connect?as=bob&ticket=" + text);
  const auto sender = with_tickets_.authenticate(get);
  ASSERT_TRUE(sender);
  EXPECT_EQ(sender->user.identity.user.str(), "ann");
  EXPECT_EQ(sender->ticket, text);
  EXPECT_EQ(sender->ticket_service.str(), "s");
  // Only for streams.
  EXPECT_EQ(admit_post("/p/connect/ack.do?ticket=" + text).refusal->status, 401);
  EXPECT_EQ(with_tickets_.require_sender(request("/p/connect/ack.do?as=bob&ticket=" + text)).user.identity.user.str(),
            "bob");
}

TEST_F(PageAdmissionWithTickets, ABadTicketIsNotReplacedByOtherCredentials) {
  const net::AdmitResult result = admit_post("/p/connect?as=bob&ticket=sset_0_nothing");
  ASSERT_TRUE(result.refusal);
  EXPECT_EQ(result.refusal->status, 401);
  EXPECT_THAT(result.refusal->sentence, HasSubstr("the ticket cannot be redeemed"));
  EXPECT_EQ(metrics_.snapshot().at(R"(sse_tickets_refused_total{reason="invalid"})"), 1);
}

TEST_F(PageAdmissionWithTickets, ARequestKeyOpensNoStream) {
  const std::string key = tickets_.make_request_key(ConnectionId(5), {UserId("ann")});
  EXPECT_EQ(admit_post("/p/connect?requestKey=" + key).refusal->status, 401);
  EXPECT_FALSE(admit_post("/p/connect/ack.do?requestKey=" + key).refusal);
  const AdmittedSender sender = with_tickets_.require_sender(request("/p/connect/ack.do?requestKey=" + key));
  EXPECT_EQ(sender.identity_for(ConnectionId(5)).user.str(), "ann");
  EXPECT_TRUE(sender.identity_for(ConnectionId(6)).user.empty());
}

TEST_F(PageAdmissionTest, RefusesAForeignPageBeforeItsUserIsAskedFor) {
  const std::string fetch = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nOrigin: ";
  const net::AdmitResult refused = admit("/p/connect?as=1", fetch + "https://evil.example\r\n");
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->status, 403);
  EXPECT_THAT(refused.refusal->sentence, HasSubstr("--cors-origin"));
  EXPECT_EQ(authenticator_.address, "");
  EXPECT_FALSE(admit("/p/connect?as=1", fetch + "https://a.example\r\n").refusal);
}

TEST_F(PageAdmissionTest, RefusesWithTheStatusOfTheAuthenticatorsError) {
  EXPECT_EQ(admit("/?as=away").refusal->status, 503);
  EXPECT_EQ(admit("/?as=away").refusal->sentence, "the directory is away");
  EXPECT_EQ(admit("/?as=broken").refusal->status, 500);
  EXPECT_THAT(admit("/?as=broken").refusal->sentence, ::testing::Not(HasSubstr("a bug")));
}

TEST_F(PageAdmissionTest, RequiresAUserOfARoute) {
  EXPECT_EQ(admission_.require_sender(request("/p?as=2")).user.identity.user.str(), "2");
  EXPECT_FALSE(admission_.authenticate(request("/p")));
  try {
    admission_.require_sender(request("/p"));
    FAIL() << "not refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnauthenticated);
  }
}

TEST_F(PageAdmissionTest, FindsTheClientsAddressBehindAProxy) {
  httplib::Request req = request("/p");
  EXPECT_EQ(admission_.client_address(req), "10.0.0.1");
  req.set_header("X-Forwarded-For", "192.0.2.7");
  EXPECT_EQ(admission_.client_address(req), "192.0.2.7");
  req.remote_addr = "198.51.100.1";
  EXPECT_EQ(admission_.client_address(req), "198.51.100.1");
}

}  // namespace
}  // namespace sse::pages
