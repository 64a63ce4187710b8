#include "net/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>

#include "base/error.h"
#include "support/errors.h"
#include "unit/net/tls_pair.h"

namespace sse::net {
namespace {

using testing::Certificate;
using testing::do_handshake;
using ::testing::HasSubstr;
using testing::tcp_pair;
using testing::TempFolder;
using testing::tls_pair;
using testing::TlsClient;

class TlsContextTest : public ::testing::Test {
 protected:
  // The sentence of the Error; empty when there is none.
  static std::string problem(const std::string& certificate, const std::string& key) {
    return testing::refusal_of([&] { const TlsContext context(certificate, key); });
  }
  static void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }
  // What ALPN comes to; "refused" when the handshake fails.
  static std::string agreed(const TlsContext& context, const std::string& protocols) {
    auto plain = tcp_pair();
    TlsClient client(std::move(plain.client), 0, protocols);
    auto shaken = std::async(std::launch::async, [&] { return client.handshake(); });
    const auto session = context.accept(plain.server.get());
    const bool done = do_handshake(*session, plain.server.get());
    if (!shaken.get() || !done) return "refused";
    const unsigned char* text = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(client.ssl(), &text, &size);
    return {reinterpret_cast<const char*>(text), size};
  }

  const TempFolder folder_;
  const Certificate good_{folder_, "good", 7};
};

TEST_F(TlsContextTest, PresentsTheCertificate) {
  const TlsContext context(good_.file, good_.key);
  EXPECT_EQ(tls_pair(context).client->serial(), 7);
  EXPECT_GT(context.expires(), wall_now() + std::chrono::hours(24));
  EXPECT_LT(context.expires(), wall_now() + std::chrono::hours(72));
}

TEST_F(TlsContextTest, SaysWhichFileIsWrongAndWhy) {
  const std::string missing = folder_.file("missing.pem");
  EXPECT_THAT(problem(missing, good_.key),
              AllOf(HasSubstr("missing.pem"), HasSubstr("--tls-cert"), HasSubstr("No such file or directory")));
  EXPECT_THAT(problem(good_.file, missing),
              AllOf(HasSubstr("missing.pem"), HasSubstr("--tls-key"), HasSubstr("No such file or directory")));
  EXPECT_THAT(problem("/tmp", good_.key), HasSubstr("Is a directory"));
  const std::string text = folder_.file("text");
  std::ofstream(text) << "no certificate\n";
  EXPECT_THAT(problem(text, good_.key), AllOf(HasSubstr("--tls-cert"), HasSubstr("no usable certificate")));
  EXPECT_THAT(problem(good_.file, text), AllOf(HasSubstr("--tls-key"), HasSubstr("no usable private key")));
  EXPECT_THAT(problem(good_.key, good_.file), HasSubstr("no usable certificate"));
}

TEST_F(TlsContextTest, RefusesAKeyOfAnotherCertificate) {
  const Certificate other(folder_, "other");
  EXPECT_THAT(problem(good_.file, other.key), AllOf(HasSubstr("does not belong to"), HasSubstr("other.key")));
  const std::string rsa = folder_.file("rsa.key");
  ASSERT_EQ(std::system(("openssl genrsa -out " + rsa + " 2048 2>/dev/null").c_str()), 0);
  EXPECT_THAT(problem(good_.file, rsa), HasSubstr("does not belong to"));
}

TEST_F(TlsContextTest, DoesNotAskForAPassphrase) {
  const Certificate locked(folder_, "locked", 1, "secret");
  EXPECT_THAT(problem(locked.file, locked.key), HasSubstr("passphrase"));
}

TEST_F(TlsContextTest, ReadsItsFilesAgain) {
  const Certificate other(folder_, "other", 8);
  TlsContext context(good_.file, good_.key);
  auto before = tls_pair(context);
  copy(other.file, good_.file);
  EXPECT_EQ(tls_pair(context).client->serial(), 7);
  // Half of the change is none.
  EXPECT_THROW(context.reload(), Error);
  EXPECT_EQ(tls_pair(context).client->serial(), 7);
  copy(other.key, good_.key);
  context.reload();
  EXPECT_EQ(tls_pair(context).client->serial(), 8);
  EXPECT_EQ(before.server.send("goes on"), 7);
  EXPECT_TRUE(before.client->receive_until("goes on"));
}

TEST_F(TlsContextTest, SpeaksHttp11OnlyAndNoVersionBefore12) {
  const TlsContext context(good_.file, good_.key);
  using std::string_literals::operator""s;
  EXPECT_EQ(agreed(context, "\x02h2\x08http/1.1"s), "http/1.1");
  EXPECT_EQ(agreed(context, ""), "");
  EXPECT_EQ(agreed(context, "\x02h2"s), "refused");

  auto plain = tcp_pair();
  TlsClient old(std::move(plain.client), TLS1_1_VERSION);
  SSL_set_min_proto_version(old.ssl(), TLS1_VERSION);
  SSL_set_security_level(old.ssl(), 0);
  auto shaken = std::async(std::launch::async, [&] {
    const bool done = old.handshake();
    old.client().finish();
    return done;
  });
  const auto session = context.accept(plain.server.get());
  EXPECT_FALSE(do_handshake(*session, plain.server.get()));
  EXPECT_FALSE(shaken.get());
}

TEST_F(TlsContextTest, KnowsTheNamesInItsCertificate) {
  const TlsContext context(good_.file, good_.key);
  EXPECT_TRUE(context.names("127.0.0.1"));
  EXPECT_TRUE(context.names("localhost"));
  EXPECT_FALSE(context.names("127.0.0.2"));
  EXPECT_FALSE(context.names("local"));
}

TEST_F(TlsContextTest, NamesTheOptionOfAFileOfClientsCertificatesThatCannotBeUsed) {
  TlsContext::Options options{.certificate_file = good_.file,
                              .key_file = good_.key,
                              .verify_clients = true,
                              .client_ca_file = folder_.file("missing.pem"),
                              .ca_option = "--a-ca"};
  const auto complaint = [&] { return testing::refusal_of([&] { const TlsContext context(options); }); };
  EXPECT_THAT(complaint(), AllOf(HasSubstr("--a-ca"), HasSubstr("No such file or directory")));
  options.client_ca_file = good_.key;
  EXPECT_THAT(complaint(), AllOf(HasSubstr("--a-ca"), HasSubstr("holds no certificates")));
  options.certificate_file = folder_.file("missing.pem");
  options.certificate_option = "--a-cert";
  EXPECT_THAT(complaint(), HasSubstr("--a-cert"));
}

}  // namespace
}  // namespace sse::net
