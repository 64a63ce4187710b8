#include "application/hook.h"

#include <gtest/gtest.h>

#include "auth/hmac.h"
#include "base/error.h"
#include "support/files.h"

namespace sse::application {
namespace {

// RFC 4231 §4.3.
TEST(Hook, SignsAsTheRfcSays) {
  EXPECT_EQ(auth::hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hook, HashesFiles) {
  const testing::TempFolder folder;
  testing::write_file(folder.file("abc"), "abc");
  EXPECT_EQ(sha256_of_file(folder.file("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(sha256_of_file(folder.file("missing")), Error);
}

}  // namespace
}  // namespace sse::application
