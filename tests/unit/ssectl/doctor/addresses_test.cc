#include "ssectl/doctor/addresses.h"

#include <gtest/gtest.h>

namespace sse::ctl {
namespace {

TEST(Addresses, ThatNoClientOnTheInternetHasAreInternal) {
  for (const char* address : {"127.0.0.1", "10.255.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.0.9",
                              "100.64.0.1", "::1", "fe80::1", "fd00::1"})
    EXPECT_TRUE(is_internal_address(address)) << address;
  for (const char* address :
       {"172.32.0.1", "172.15.0.1", "11.0.0.1", "100.128.0.1", "192.0.2.1", "2001:db8::1", "", "host"})
    EXPECT_FALSE(is_internal_address(address)) << address;
}

TEST(Addresses, TheOwnOneIsThatOfTheRouteToTheHost) {
  EXPECT_EQ(own_address_towards({"", "127.0.0.1", 80, false}), "127.0.0.1");
  EXPECT_EQ(own_address_towards({"", "no.such.host.invalid", 80, false}), "");
}

}  // namespace
}  // namespace sse::ctl
