#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sse::gateway {

/// Finds files below one folder, for everybody to read. What is outside stays outside: symbolic links that lead out of
/// the folder, `..`, names that begin with a dot (but `/.well-known`, RFC 8615) and whatever is no regular file do not
/// exist. Thread safe. Reads the disk.
///
/// Replies that send the same file share one descriptor, and at most kMaxOpen files are open at once: clients that read
/// slowly do not use up the server's descriptors.
class StaticFiles {
 public:
  static constexpr std::size_t kMaxOpen = 64;

  /// `folder` is looked up for every file: it may be replaced while the server runs.
  explicit StaticFiles(std::string folder) : folder_(std::move(folder)) {}

  struct File {
    std::shared_ptr<const UniqueFd> fd;
    std::uint64_t size = 0;
    WallTime modified{};
    std::string etag;          ///< changes whenever the file does
    std::string content_type;  ///< by its name
  };
  enum class Result : unsigned char { kFile, kNone, kFolder, kBusy };
  /// `path`: decoded, beginning with '/', without control characters. One that ends with '/' means its index.html;
  /// kFolder: the path is a folder's and lacks that. kBusy: kMaxOpen files are being sent, which may be tried again.
  Result find(const std::string& path, File& file) EXCLUDES(mutex_);

 private:
  using Identity = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::uint64_t>;
  /// The descriptor that replies of that file share; null when there are too many.
  std::shared_ptr<const UniqueFd> share(UniqueFd fd, const Identity& identity) EXCLUDES(mutex_);

  const std::string folder_;
  Mutex mutex_;
  std::map<Identity, std::weak_ptr<const UniqueFd>> open_ GUARDED_BY(mutex_);
};

/// The content type that goes with a file's name; application/octet-stream for unknown ones.
std::string content_type_of(const std::string& path);

/// The path of a request target, percent-decoded once; nullopt when it holds a control character or NUL, or a '%' that
/// is not followed by two hexadecimal digits.
std::optional<std::string> decoded_path(std::string_view target);

}  // namespace sse::gateway
