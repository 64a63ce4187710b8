#pragma once

#include <memory>
#include <string>

#include "base/units.h"
#include "gateway/application.h"
#include "net/httplib_app.h"

namespace sse::gateway {

/// Files that are deleted when this goes, as far as they are still there.
class TemporaryFiles {
 public:
  TemporaryFiles() = default;
  ~TemporaryFiles();
  TemporaryFiles(TemporaryFiles&&) noexcept = default;
  TemporaryFiles& operator=(TemporaryFiles&&) = delete;

  void add(std::string path) { paths_.push_back(std::move(path)); }

 private:
  std::vector<std::string> paths_;
};

/// An upload as it was received; its files live as long as this.
struct ReceivedUpload {
  Upload upload;
  TemporaryFiles files;
};

inline constexpr const char* kNoUpload = "an upload must be multipart/form-data with a boundary";

/// Reads a multipart/form-data body piece by piece: files go into temporary files of `folder` that only this user may
/// read, other fields into memory (at most 1 MiB of them with their names, at most 1000 parts). `body` null: it was no
/// such body. Throws Refusal(415) for that, Error(kInvalidArgument) for one that is malformed, kTooLarge, kIo with
/// advice when a file cannot be written. Nothing stays behind then.
ReceivedUpload read_upload(const net::MultipartBody* body, const std::string& folder);

/// The folder for temporary files where none is named: $TMPDIR or /tmp.
std::string default_upload_folder();

}  // namespace sse::gateway
