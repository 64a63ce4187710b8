#include "gateway/upload_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kMostFieldBytes = std::size_t{1024} * 1024;
constexpr std::size_t kMostParts = 1000;
constexpr std::size_t kMostNameBytes = 1024;

class Receiver {
 public:
  Receiver(ReceivedUpload& into, const std::string& folder) : into_(into), folder_(folder) {}

  // Exceptions must not pass through httplib's parser: they are kept, and reading ends.
  bool part(const httplib::MultipartFormData& part) {
    return guarded([&] {
      close();
      if (++parts_ > kMostParts) throw Error(ErrorCode::kTooLarge, "more than 1000 parts in one upload");
      if (part.name.size() > kMostNameBytes || part.filename.size() > kMostNameBytes)
        throw Error(ErrorCode::kTooLarge, "the name of a part is longer than 1024 bytes");
      if (part.filename.empty()) {
        field_ = part.name;
      } else {
        open(part);
      }
    });
  }

  bool data(const char* bytes, std::size_t size) {
    return guarded([&] {
      if (file_.valid()) {
        write(bytes, size);
      } else {
        field_bytes_ += size;
        if (field_bytes_ > kMostFieldBytes)
          throw Error(ErrorCode::kTooLarge, "more than 1 MiB of form fields beside the files");
        text_.append(bytes, size);
      }
    });
  }

  void finish() {
    if (failure_) throw Error(*failure_);
    close();
  }

 private:
  template <class Step>
  bool guarded(Step step) {
    try {
      step();
      return true;
    } catch (const Error& e) {
      failure_ = e;
      return false;
    }
  }

  void open(const httplib::MultipartFormData& part) {
    std::string path = folder_ + "/sse-upload-XXXXXX";
    file_.reset(::mkostemp(path.data(), O_CLOEXEC));
    if (!file_.valid())
      throw system_error(errno, "cannot make a file for the upload in " + folder_ + " (--upload-dir)");
    into_.files.add(path);
    into_.upload.files.push_back({part.name, part.filename, part.content_type, ByteCount(0), path});
  }

  void write(const char* bytes, std::size_t size) {
    UploadedFile& file = into_.upload.files.back();
    file.size = ByteCount(file.size.count() + size);
    while (size > 0) {
      const ssize_t n = ::write(file_.get(), bytes, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw system_error(errno, "cannot write the upload to " + folder_ + " (--upload-dir)");
      bytes += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  void close() {
    file_.reset();
    if (field_) into_.upload.fields[*field_] = std::move(text_);
    field_.reset();
    text_.clear();
  }

  ReceivedUpload& into_;
  const std::string& folder_;
  UniqueFd file_;
  std::optional<std::string> field_;
  std::string text_;
  std::size_t field_bytes_ = 0;
  std::size_t parts_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

TemporaryFiles::~TemporaryFiles() {
  for (const std::string& path : paths_) ::unlink(path.c_str());
}

ReceivedUpload read_upload(const httplib::Request& req, const httplib::ContentReader& reader,
                           const std::string& folder) {
  if (!req.is_multipart_form_data()) throw Error(ErrorCode::kInvalidArgument, "an upload must be multipart/form-data");
  ReceivedUpload received;
  Receiver receiver(received, folder);
  const bool complete = reader([&](const httplib::MultipartFormData& part) { return receiver.part(part); },
                               [&](const char* data, std::size_t size) { return receiver.data(data, size); });
  receiver.finish();
  if (!complete) throw Error(ErrorCode::kInvalidArgument, "the multipart/form-data body is malformed");
  return received;
}

std::string default_upload_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder == '/' ? folder : "/tmp";
}

}  // namespace sse::gateway
