#pragma once

#include <memory>
#include <string>

#include "application/application.h"
#include "base/units.h"
#include "net/httplib_app.h"

namespace sse::application {

/// Deletes temporary files when it is destroyed, except those that were moved away.
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

/// A received upload; its files exist as long as this object.
struct ReceivedUpload {
  Upload upload;
  TemporaryFiles files;
};

inline constexpr const char* kNoUpload = "an upload must be multipart/form-data with a boundary";

/// Reads a multipart/form-data body piece by piece. Files go into temporary files in `folder` that only the server's
/// user may read, other fields into memory (at most 1 MiB including their names, at most 1000 parts). Throws
/// Refusal(415) when `body` is null, because the request had another type; Error(kInvalidArgument) when it is
/// malformed, kTooLarge, and kIo with advice when a file cannot be written. Leaves no files behind then.
ReceivedUpload read_upload(const net::MultipartBody* body, const std::string& folder);

/// The default folder for temporary files: $TMPDIR or /tmp.
std::string default_upload_folder();

}  // namespace sse::application
