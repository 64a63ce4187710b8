#include "ssectl/input/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "support/errors.h"
#include "support/files.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

// Puts another file on standard input for a scope.
class StandardInput {
 public:
  explicit StandardInput(int fd) : before_(dup(STDIN_FILENO)) { dup2(fd, STDIN_FILENO); }
  ~StandardInput() { dup2(before_.get(), STDIN_FILENO); }

 private:
  UniqueFd before_;
};

struct Pipe {
  Pipe() {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    out.reset(fds[0]);
    in.reset(fds[1]);
  }
  UniqueFd out, in;
};

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) { testing::write_file(path_, text); }
  const std::string& path() const { return path_; }

 private:
  const testing::TempFolder folder_;
  const std::string path_ = folder_.file("input");
};

ErrorCode code_of(const std::function<void()>& act) {
  return testing::error_of(act).code();
}

TEST(PipedInput, ReadsAPipeToItsEnd) {
  Pipe pipe;
  ASSERT_EQ(write(pipe.in.get(), "a\nb\n", 4), 4);
  pipe.in.reset();
  const StandardInput input(pipe.out.get());
  EXPECT_EQ(piped_input(std::chrono::seconds(30)), "a\nb\n");
}

TEST(PipedInput, IsNothingWhenThePipeIsEmptyOrADevice) {
  Pipe pipe;
  pipe.in.reset();
  {
    const StandardInput input(pipe.out.get());
    EXPECT_EQ(piped_input(std::chrono::seconds(30)), std::nullopt);
  }
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const StandardInput input(null.get());
  EXPECT_EQ(piped_input(std::chrono::seconds(30)), std::nullopt);
}

TEST(PipedInput, DoesNotHangOnAPipeWithoutAWriter) {
  Pipe pipe;
  const StandardInput input(pipe.out.get());
  EXPECT_EQ(code_of([] { piped_input(milliseconds(20)); }), ErrorCode::kTimeout);
}

TEST(PipedInput, ReadsARedirectedFile) {
  const TemporaryFile file(std::string("x\0y", 3));
  const UniqueFd fd(open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
  const StandardInput input(fd.get());
  EXPECT_EQ(piped_input(std::chrono::seconds(30)), std::string("x\0y", 3));
}

TEST(ReadFile, NamesWhatItCannotRead) {
  EXPECT_EQ(code_of([] { read_file("/nonexistent/file"); }), ErrorCode::kIo);
  EXPECT_EQ(code_of([] { read_file("/tmp"); }), ErrorCode::kIo);
}

TEST(ReadToken, TakesTheFirstLineWithoutBlanks) {
  EXPECT_EQ(read_token(TemporaryFile(" s3cret \r\nmore\n").path()), "s3cret");
  EXPECT_EQ(code_of([] { read_token(TemporaryFile("\n \n").path()); }), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sse::ctl
