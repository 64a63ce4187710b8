#include "cluster/http_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"
#include "unit/net/tls_authority.h"

namespace sse::cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string complaint(HttpClusterOptions options) {
  return testing::refusal_of([&] { check(options); });
}

HttpClusterOptions over_network() {
  HttpClusterOptions options;
  options.discovery = "static:localhost:1,b:2";
  options.secret = "s";
  options.listen = "0.0.0.0:7600";
  options.advertise = "a:1";
  options.allow_clear = true;
  return options;
}

TEST(HttpCluster, TakesWhatMakesSense) {
  HttpClusterOptions nacos;
  nacos.discovery = "nacos+https://h";
  nacos.listen = "127.0.0.1:7600";
  EXPECT_EQ(complaint(nacos), "");
  EXPECT_EQ(complaint(over_network()), "");
}

TEST(HttpCluster, SendsTheSecretOverNoNetworkInClearUnlessThatIsAllowed) {
  HttpClusterOptions options = over_network();
  options.allow_clear = false;
  EXPECT_THAT(complaint(options), AllOf(HasSubstr("--cluster-listen is 0.0.0.0:7600"), HasSubstr("--cluster-cert"),
                                        HasSubstr("--insecure")));
  options.listen = "127.0.0.1:7600";
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-advertise is a:1"));
  options.advertise = "localhost:1";
  EXPECT_THAT(complaint(options), HasSubstr("the node of --discovery is b:2"));
  // A name that begins as an address does not lead to this machine.
  options.discovery = "static:127.0.0.1.example:1";
  EXPECT_THAT(complaint(options), HasSubstr("127.0.0.1.example:1"));
  options.discovery = "static:127.0.0.2:1,[::1]:2,localhost:3";
  EXPECT_EQ(complaint(options), "");
  // ssectl has no listener.
  options = over_network();
  options.allow_clear = false;
  options.listen = options.advertise = "";
  EXPECT_THAT(complaint(options), HasSubstr("the node of --discovery is b:2"));
}

TEST(HttpCluster, RegistersTheSecretOfANodeInNoNacosInClear) {
  HttpClusterOptions options;
  options.discovery = "nacos://127.0.0.1,10.0.0.1";
  options.listen = "127.0.0.1:7600";
  EXPECT_THAT(complaint(options), AllOf(HasSubstr("in Nacos at 10.0.0.1"), HasSubstr("nacos+https://")));
  options.secret = "s";  // which is not registered
  EXPECT_EQ(complaint(options), "");
  options.secret = "";
  options.allow_clear = true;
  EXPECT_EQ(complaint(options), "");
  options.allow_clear = false;
  options.discovery = "nacos+https://10.0.0.1";
  EXPECT_EQ(complaint(options), "");
}

TEST(HttpCluster, NamesTheFileOfTlsThatIsMissing) {
  const sse::testing::TempFolder folder;
  const auto issued = sse::testing::TlsAuthority(folder, "ca").issue("node");
  HttpClusterOptions options = over_network();
  options.allow_clear = false;
  options.tls.certificate_file = issued.file;
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-key is missing"));
  options.tls.key_file = issued.key;
  EXPECT_EQ(complaint(options), "");
  options.tls.ca_file = folder.file("none");
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-ca"));
  options.tls.certificate_file = "";
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-cert is missing"));
  options.tls.key_file = "";
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-ca is for TLS between the nodes"));
}

TEST(HttpCluster, NamesTheOptionThatIsForAnotherNacosOrForNone) {
  HttpClusterOptions options;
  options.discovery = "nacos+https://h";
  options.ca_file = "ca.pem";
  options.access_key = "key:topsecret";
  EXPECT_EQ(complaint(options), "");
  for (const char* key : {"topsecret", ":topsecret", "topsecret:"}) {
    options.access_key = key;
    EXPECT_THAT(complaint(options), AllOf(HasSubstr("--discovery-access-key-file"), Not(HasSubstr("topsecret"))));
  }
  options.access_key = "key:topsecret";
  options.password = "p";
  EXPECT_THAT(complaint(options), HasSubstr("a log-in or an access key"));
  options.access_key = "";
  options.discovery = "nacos://h";
  EXPECT_THAT(complaint(options), HasSubstr("--discovery-ca"));
  options = {};
  options.discovery = "static:a:1";
  options.secret = "s";
  options.ca_file = "ca.pem";
  EXPECT_THAT(complaint(options), HasSubstr("--discovery-ca"));
  options.ca_file = "";
  options.access_key = "key:topsecret";
  EXPECT_THAT(complaint(options), HasSubstr("--discovery-access-key-file"));
}

TEST(HttpCluster, NamesTheOptionThatMakesNoSense) {
  HttpClusterOptions options;
  options.discovery = "zookeeper://h";
  EXPECT_THAT(complaint(options), HasSubstr("--discovery 'zookeeper:"));
  options.discovery = "static:a:1";
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-secret-file"));
  options.secret = "s";
  options.password = "p";
  EXPECT_THAT(complaint(options), HasSubstr("--discovery-password-file"));
  options.password = "";
  options.discovery = "static:";
  EXPECT_THAT(complaint(options), HasSubstr("names no nodes"));
  options.discovery = "nacos://u:topsecret@h";
  options.listen = "0.0.0.0:7600";
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-advertise"));
  options.advertise = "h:0";
  EXPECT_THAT(complaint(options), HasSubstr("--cluster-advertise"));
  EXPECT_THAT(shown_discovery(options.discovery), Not(HasSubstr("topsecret")));
}

}  // namespace
}  // namespace sse::cluster
