#include "application/upload_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "net/multipart.h"

namespace sse::application {
namespace {

constexpr std::size_t kMaxFieldBytes = std::size_t{1024} * 1024;

class Receiver final : public net::MultipartParser::Sink {
 public:
  Receiver(ReceivedUpload& into, const std::string& folder) : into_(into), folder_(folder) {}

  void part(const net::MultipartPart& part) override {
    finish();
    // Browsers send an empty filename for a file input without a file.
    if (part.filename.empty()) {
      add_field_bytes(part.name.size());
      field_ = part.name;
    } else {
      open(part);
    }
  }

  void data(std::string_view bytes) override {
    if (file_.valid()) {
      write(bytes);
    } else {
      add_field_bytes(bytes.size());
      text_.append(bytes);
    }
  }

  void finish() {
    file_.reset();
    if (field_) into_.upload.fields[*field_] = std::move(text_);
    field_.reset();
    text_.clear();
  }

 private:
  void add_field_bytes(std::size_t size) {
    field_bytes_ += size;
    if (field_bytes_ > kMaxFieldBytes)
      throw Error(ErrorCode::kTooLarge, "more than 1 MiB of form fields besides the files");
  }

  void open(const net::MultipartPart& part) {
    std::string path = folder_ + "/sse-upload-XXXXXX";
    file_.reset(::mkostemp(path.data(), O_CLOEXEC));
    if (!file_.valid())
      throw system_error(errno, "cannot create a file for the upload in " + folder_ + " (--upload-dir)");
    into_.files.add(path);
    into_.upload.files.push_back({part.name, part.filename, part.content_type, ByteCount(0), path});
  }

  void write(std::string_view bytes) {
    UploadedFile& file = into_.upload.files.back();
    file.size = ByteCount(file.size.count() + bytes.size());
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw system_error(errno, "cannot write the upload to " + folder_ + " (--upload-dir)");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  ReceivedUpload& into_;
  const std::string& folder_;
  UniqueFd file_;
  std::optional<std::string> field_;
  std::string text_;
  std::size_t field_bytes_ = 0;
};

}  // namespace

TemporaryFiles::~TemporaryFiles() {
  for (const std::string& path : paths_) ::unlink(path.c_str());
}

ReceivedUpload read_upload(const net::MultipartBody* body, const std::string& folder) {
  const auto boundary = body != nullptr ? net::multipart_boundary(body->content_type()) : std::nullopt;
  if (!boundary) throw Refusal(415, kNoUpload);
  ReceivedUpload received;
  Receiver receiver(received, folder);
  net::MultipartParser parser(*boundary, receiver);
  body->read([&](std::string_view piece) { parser.feed(piece); });
  parser.finish();
  receiver.finish();
  return received;
}

std::string default_upload_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder == '/' ? folder : "/tmp";
}

}  // namespace sse::application
