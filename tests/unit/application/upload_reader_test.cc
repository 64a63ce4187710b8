#include "application/upload_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace sse::application {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kType = "multipart/form-data; boundary=b";

std::string part(const std::string& disposition, const std::string& content) {
  return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n";
}

class UploadReaderTest : public ::testing::Test {
 protected:
  ReceivedUpload read(const std::string& parts, const std::string& end = "--b--\r\n") const {
    const std::string bytes = parts + end;
    const net::MultipartBody body(kType, bytes);
    return read_upload(&body, folder_.path());
  }
  ErrorCode code_of(const std::string& parts, const std::string& end = "--b--\r\n") const {
    return testing::error_of([&] { read(parts, end); }).code();
  }

  const testing::TempFolder folder_;
};

TEST_F(UploadReaderTest, ReadsFieldsAndFiles) {
  const ReceivedUpload received = read(
      part("name=\"text\"", "hello") +
      part("name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain", "content") + part("name=\"empty\"", ""));
  EXPECT_EQ(received.upload.fields, event::Json({{"text", "hello"}, {"empty", ""}}));
  ASSERT_THAT(received.upload.files, SizeIs(1));
  const UploadedFile& file = received.upload.files[0];
  EXPECT_EQ(file.field, "file");
  EXPECT_EQ(file.filename, "a.txt");
  EXPECT_EQ(file.content_type, "text/plain");
  EXPECT_EQ(file.size, ByteCount(7));
  EXPECT_EQ(testing::read_file(file.path), "content");
}

TEST_F(UploadReaderTest, AFileIsForTheServersUserAndLivesAsLongAsTheUpload) {
  std::optional<ReceivedUpload> received(read(part("name=\"f\"; filename=\"../../evil\"", "x")));
  const std::string path = received->upload.files.at(0).path;
  EXPECT_EQ(std::filesystem::path(path).parent_path(), folder_.path()) << "the page's name is no path";
  struct stat found {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  received.reset();
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(UploadReaderTest, AFileThatTheApplicationMovedAwayStays) {
  {
    const ReceivedUpload received = read(part("name=\"f\"; filename=\"a\"", "x"));
    std::filesystem::rename(received.upload.files.at(0).path, folder_.file("moved"));
  }
  EXPECT_EQ(testing::read_file(folder_.file("moved")), "x");
}

// As browsers send it.
TEST_F(UploadReaderTest, AFileInputWithoutAFileIsAField) {
  const ReceivedUpload received = read(part("name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream", ""));
  EXPECT_THAT(received.upload.files, IsEmpty());
  EXPECT_EQ(received.upload.fields, event::Json({{"f", ""}}));
}

TEST_F(UploadReaderTest, LimitsWhatGoesIntoMemoryAndNotTheFiles) {
  const std::string large(1024 * 1024, 'x');
  EXPECT_EQ(read(part("name=\"f\"; filename=\"a\"", large + large)).upload.files.at(0).size, ByteCount(2 << 20));
  EXPECT_EQ(code_of(part("name=\"text\"", large)), ErrorCode::kTooLarge);
  EXPECT_EQ(code_of(part("name=\"a\"", large.substr(1000)) + part("name=\"b\"", large.substr(0, 1000))),
            ErrorCode::kTooLarge)
      << "all fields together";
}

TEST_F(UploadReaderTest, LeavesNoFileOfAnUploadThatItRefuses) {
  const std::string file = part("name=\"f\"; filename=\"a\"", "content");
  EXPECT_EQ(code_of(file, ""), ErrorCode::kInvalidArgument) << "cut off";
  EXPECT_EQ(code_of(file + part("name=\"text\"", std::string(1024 * 1024, 'x'))), ErrorCode::kTooLarge);
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(UploadReaderTest, RefusesWhatIsNoForm) {
  const net::MultipartBody unbounded("multipart/form-data", "x");
  for (const net::MultipartBody* body : {static_cast<const net::MultipartBody*>(nullptr), &unbounded}) {
    try {
      read_upload(body, folder_.path());
      FAIL() << "taken";
    } catch (const Refusal& e) {
      EXPECT_EQ(e.status(), 415);
    }
  }
}

TEST_F(UploadReaderTest, NamesTheFolderAndTheOptionWhenItCannotWrite) {
  const std::string bytes = part("name=\"f\"; filename=\"a\"", "x") + "--b--\r\n";
  const net::MultipartBody body(kType, bytes);
  const Error error = testing::error_of([&] { read_upload(&body, folder_.file("missing")); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_THAT(error.what(), HasSubstr(folder_.file("missing")));
  EXPECT_THAT(error.what(), HasSubstr("--upload-dir"));
}

}  // namespace
}  // namespace sse::application
