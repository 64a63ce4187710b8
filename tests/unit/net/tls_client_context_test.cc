#include "net/tls_client_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <future>
#include <string>
#include <utility>

#include "base/fd.h"
#include "support/errors.h"
#include "unit/net/tls_pair.h"

namespace sse::net {
namespace {

using sse::testing::Certificate;
using sse::testing::do_handshake;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A server that tells what the client sent, and wants its certificate if `ca` names one.
class RawServer {
 public:
  explicit RawServer(const Certificate& certificate, const std::string& ca = "")
      : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
    SSL_CTX_use_certificate_chain_file(context_.get(), certificate.file.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), certificate.key.c_str(), SSL_FILETYPE_PEM);
    if (ca.empty()) return;
    SSL_CTX_load_verify_locations(context_.get(), ca.c_str(), nullptr);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  // On a blocking socket. Returns the name that the client asked for, or "refused"; then sends a letter.
  std::string accept(int fd) const {
    const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) return "refused";
    const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
    SSL_write(ssl.get(), "x", 1);
    return name == nullptr ? "none" : name;
  }

 private:
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
};

struct Outcome {
  std::string asked;    // for which name
  std::string problem;  // of the client; empty: it has read the letter
};

class TlsClientContextTest : public ::testing::Test {
 protected:
  static Outcome connect(const RawServer& server, const TlsClientContext& context, const std::string& name) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
    const UniqueFd client(ends[0]);
    auto asked = std::async(std::launch::async, [&server, end = ends[1]] {
      const UniqueFd fd(end);
      return server.accept(fd.get());
    });
    const std::unique_ptr<TlsSession> session = context.connect(client.get(), name);
    Outcome outcome;
    std::string letter(TlsSession::kMaxRecord, ' ');
    if (do_handshake(*session, client.get())) {
      ssize_t n = -1;
      while ((n = session->read(letter.data(), letter.size())) < 0 && errno == EAGAIN) {
        if (!sse::testing::await(client.get(), POLLIN)) break;
      }
      if (n != 1) outcome.problem = n == 0 ? "closed" : session->problem();
    } else {
      outcome.problem = session->problem();
    }
    ::shutdown(client.get(), SHUT_RDWR);
    outcome.asked = asked.get();
    return outcome;
  }

  const sse::testing::TempFolder folder_;
  const Certificate certificate_{folder_, "server"};
  const RawServer server_{certificate_};
};

TEST_F(TlsClientContextTest, NamesTheHostAndChecksThatTheCertificateNamesItToo) {
  const TlsClientContext context({.ca_file = certificate_.file});
  Outcome outcome = connect(server_, context, "localhost");
  EXPECT_EQ(outcome.problem, "");
  EXPECT_EQ(outcome.asked, "localhost");
  outcome = connect(server_, context, "elsewhere");
  EXPECT_THAT(outcome.problem, HasSubstr("ostname mismatch"));
  // An address is not sent, but checked.
  outcome = connect(server_, context, "127.0.0.1");
  EXPECT_EQ(outcome.problem, "");
  EXPECT_EQ(outcome.asked, "none");
  EXPECT_THAT(connect(server_, context, "127.0.0.2").problem, HasSubstr("IP address mismatch"));
}

TEST_F(TlsClientContextTest, TrustsOnlyTheCertificatesThatItIsGiven) {
  const Certificate other(folder_, "other");
  EXPECT_THAT(connect(server_, TlsClientContext({.ca_file = other.file}), "localhost").problem,
              HasSubstr("certificate verify failed"));
  EXPECT_THAT(connect(server_, TlsClientContext(TlsClientContext::Options{}), "localhost").problem,
              HasSubstr("certificate verify failed"));
}

TEST_F(TlsClientContextTest, ShowsItsOwnCertificateWhenItHasOne) {
  const Certificate mine(folder_, "mine");
  const RawServer strict(certificate_, mine.file);
  const TlsClientContext context({.ca_file = certificate_.file, .certificate_file = mine.file, .key_file = mine.key});
  EXPECT_EQ(connect(strict, context, "localhost").problem, "");
  EXPECT_EQ(connect(strict, TlsClientContext({.ca_file = certificate_.file}), "localhost").asked, "refused");
}

TEST_F(TlsClientContextTest, NamesTheFileAndTheOptionThatCannotBeUsed) {
  const Certificate other(folder_, "other");
  TlsClientContext::Options options{.ca_file = folder_.file("none.pem"), .ca_option = "--a-ca"};
  EXPECT_THAT(testing::refusal_of([&] { TlsClientContext context(options); }),
              AllOf(HasSubstr("none.pem"), HasSubstr("--a-ca")));
  options = {.certificate_file = certificate_.key, .key_file = certificate_.key, .certificate_option = "--a-cert"};
  EXPECT_THAT(testing::refusal_of([&] { TlsClientContext context(options); }), HasSubstr("--a-cert"));
  options = {.certificate_file = certificate_.file, .key_file = other.key, .key_option = "--a-key"};
  EXPECT_THAT(testing::refusal_of([&] { TlsClientContext context(options); }), HasSubstr("--a-key"));
}

}  // namespace
}  // namespace sse::net
