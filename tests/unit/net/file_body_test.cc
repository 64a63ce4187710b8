#include "net/file_body.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "support/files.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using testing::TcpPair;

class FileBodyTest : public ::testing::Test {
 protected:
  FileBodyTest() { block_broken_pipe_signal(); }

  FileBody body(const std::string& content, std::uint64_t offset, std::uint64_t left) {
    testing::write_file(path_, content);
    return {std::make_shared<const UniqueFd>(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)), offset, left};
  }

  const testing::TempFolder folder_;
  const std::string path_ = folder_.file("file");
};

TEST_F(FileBodyTest, SendsItsPartOfTheFilePieceByPiece) {
  TcpPair pair = testing::tcp_pair();
  Socket socket(std::move(pair.server));
  FileBody part = body("0123456789", 2, 7);
  EXPECT_EQ(part.send_some(socket, 3), 3);
  EXPECT_EQ(part.left, 4U);
  EXPECT_EQ(part.send_some(socket, 1000), 4);
  EXPECT_EQ(part.left, 0U);
  EXPECT_TRUE(pair.client.receive_bytes(7));
  EXPECT_EQ(pair.client.received(), "2345678");
}

TEST_F(FileBodyTest, SeveralRepliesShareADescriptor) {
  TcpPair pair = testing::tcp_pair();
  Socket socket(std::move(pair.server));
  FileBody first = body("0123456789", 0, 10);
  FileBody second{first.file, 5, 5};
  EXPECT_EQ(first.send_some(socket, 2), 2);
  EXPECT_EQ(second.send_some(socket, 2), 2);
  EXPECT_EQ(first.send_some(socket, 2), 2);
  EXPECT_TRUE(pair.client.receive_bytes(6));
  EXPECT_EQ(pair.client.received(), "015623");
}

TEST_F(FileBodyTest, WaitsForNoFullSocket) {
  TcpPair pair = testing::tcp_pair(4096, 4096);
  Socket socket(std::move(pair.server));
  const std::string content(4 * 1024 * 1024, 'x');
  FileBody whole = body(content, 0, content.size());
  ssize_t n = 0;
  while ((n = whole.send_some(socket, 64 * 1024)) > 0) {
  }
  EXPECT_EQ(n, -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(whole.left, 0U);
  EXPECT_LT(whole.left, content.size());
  // Goes on where it was.
  while (whole.left > 0) {
    pair.client.receive_some();
    whole.send_some(socket, 64 * 1024);
  }
  EXPECT_TRUE(pair.client.receive_bytes(content.size()));
  EXPECT_TRUE(pair.client.received() == content);
}

TEST_F(FileBodyTest, AFileThatHasBecomeShorterIsAnError) {
  TcpPair pair = testing::tcp_pair();
  Socket socket(std::move(pair.server));
  FileBody whole = body("0123456789", 0, 10);
  ASSERT_EQ(truncate(path_.c_str(), 4), 0);
  EXPECT_EQ(whole.send_some(socket, 1000), 4);
  EXPECT_EQ(whole.send_some(socket, 1000), -1);
  EXPECT_EQ(errno, EIO);
}

TEST_F(FileBodyTest, APeerThatIsGoneIsAnErrorAndNoSignal) {
  TcpPair pair = testing::tcp_pair();
  Socket socket(std::move(pair.server));
  FileBody whole = body(std::string(1024 * 1024, 'x'), 0, 1024 * 1024);
  pair.client.reset();
  ssize_t n = 0;
  while ((n = whole.send_some(socket, 64 * 1024)) > 0) {
  }
  EXPECT_EQ(n, -1);
  EXPECT_TRUE(errno == ECONNRESET || errno == EPIPE) << errno;
}

}  // namespace
}  // namespace sse::net
