#include "auth/secret_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "auth/file_kind.h"
#include "base/error.h"
#include "support/files.h"

namespace sse::auth {
namespace {

class SecretFileTest : public ::testing::Test {
 protected:
  std::string secret(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return read_secret_file(path_, "--admin-token-file");
  }
  std::string why_refused(const std::string& text) {
    try {
      return "accepted " + secret(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(e.what()).find("--admin-token-file"), std::string::npos) << e.what();
      return e.what();
    }
  }

  testing::TempFolder folder_;
  const std::string path_ = folder_.file("token");
};

TEST_F(SecretFileTest, IsTheFirstLineWithoutWhatIsAround) {
  EXPECT_EQ(secret("s3cret"), "s3cret");
  EXPECT_EQ(secret("s3cret\n# made by hand\n"), "s3cret");
  EXPECT_EQ(secret("s3cret\r\n"), "s3cret");
  EXPECT_EQ(secret(" \ts3 cret \r\nx"), "s3 cret");
  EXPECT_EQ(secret("<3 {me}"), "<3 {me}");
  EXPECT_EQ(secret("[x"), "[x");
}

TEST_F(SecretFileTest, IsNotWhatEverybodyCanSee) {
  const std::pair<const char*, const char*> files[] = {
      {"<!DOCTYPE html>\n<html>\n", "web page"},
      {"\n<html lang=en><h1>It works!</h1>", "web page"},
      {"{\"error\":\"denied\"}", "JSON object"},
      {"[\"a\",\"b\"]\n", "JSON"},
      {"\xEF\xBB\xBFs3cret\n", "byte order mark"},
      {"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", "PEM"},
      {"ssh-rsa AAAAB3NzaC1yc2E me\n", "SSH"},
      {"", "empty"},
      {"\ns3cret\n", "first line is empty"},
      {"  \n", "first line is empty"},
      {"s3c\x1bret\n", "control character"},
  };
  for (const auto& [text, sentence] : files) {
    const std::string said = why_refused(text);
    EXPECT_NE(said.find(sentence), std::string::npos) << text << "\n" << said;
  }
  EXPECT_NE(why_refused(std::string(1024 * 1024 + 1, 'x')).find("1 MiB"), std::string::npos);
}

TEST_F(SecretFileTest, SaysWhyItCannotBeRead) {
  EXPECT_THROW(
      {
        try {
          read_secret_file(folder_.file("missing"), "--hook-secret-file");
        } catch (const Error& e) {
          EXPECT_NE(std::string(e.what()).find("No such file"), std::string::npos) << e.what();
          throw;
        }
      },
      Error);
}

TEST(FileKind, TellsBytesFromStructure) {
  EXPECT_EQ(recognize(std::string("\x30\x06\x02\x01\x01\x02\x01\x02", 8)), FileKind::kDer);
  EXPECT_EQ(recognize(std::string("\x30\x07\x02\x01\x01\x02\x01\x02", 8)), FileKind::kOther);
  EXPECT_EQ(recognize("0123456789"), FileKind::kOther);
  EXPECT_EQ(recognize("<x"), FileKind::kOther);
  EXPECT_EQ(recognize("\xFF\xFE"), FileKind::kByteOrderMark);
}

}  // namespace
}  // namespace sse::auth
