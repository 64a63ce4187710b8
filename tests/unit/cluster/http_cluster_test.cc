#include "cluster/http_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"

namespace sse::cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string complaint(HttpClusterOptions options) {
  return testing::refusal_of([&] { check(options); });
}

TEST(HttpCluster, TakesWhatMakesSense) {
  EXPECT_EQ(complaint({.discovery = "nacos://h",
                       .password = "",
                       .secret = "",
                       .listen = "10.0.0.1:7600",
                       .advertise = "",
                       .cluster = {}}),
            "");
  EXPECT_EQ(complaint({.discovery = "static:a:1,b:2",
                       .password = "",
                       .secret = "s",
                       .listen = "0.0.0.0:7600",
                       .advertise = "a:1",
                       .cluster = {}}),
            "");
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
