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

namespace sse::pages {

/// Finds the public files below one folder. These are not found: symbolic links that lead out of the folder, `..`,
/// names that begin with a dot (except `/.well-known`, RFC 8615), and everything that is not a regular file. Thread
/// safe. Reads the disk.
///
/// Responses that send the same file share one descriptor, and at most kMaxOpen files are open at once, so that slow
/// clients do not exhaust the server's descriptors.
class StaticFiles {
 public:
  static constexpr std::size_t kMaxOpen = 64;

  /// `folder` is opened again for every file, so that it may be replaced while the server runs.
  explicit StaticFiles(std::string folder) : folder_(std::move(folder)) {}

  struct File {
    std::shared_ptr<const UniqueFd> fd;
    std::uint64_t size = 0;
    WallTime modified{};
    std::string etag;          ///< changes whenever the file changes
    std::string content_type;  ///< from the file name
  };
  enum class Result : unsigned char { kFile, kNone, kFolder, kBusy };
  /// `path`: decoded, beginning with '/', without control characters. A path that ends with '/' means its index.html.
  /// kFolder: the path is a folder and lacks the final '/'. kBusy: kMaxOpen files are being sent; try again later.
  Result find(const std::string& path, File& file) EXCLUDES(mutex_);

 private:
  using Identity = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::uint64_t>;
  /// The shared descriptor of a file; null if too many files are open.
  std::shared_ptr<const UniqueFd> share(UniqueFd fd, const Identity& identity) EXCLUDES(mutex_);

  const std::string folder_;
  Mutex mutex_;
  std::map<Identity, std::weak_ptr<const UniqueFd>> open_ GUARDED_BY(mutex_);
};

/// The content type for a file name; application/octet-stream for unknown extensions.
std::string content_type_of(const std::string& path);

/// The path of a request target, percent-decoded once; nullopt if it contains a control character or NUL, or a '%' that
/// is not followed by two hexadecimal digits.
std::optional<std::string> decoded_path(std::string_view target);

}  // namespace sse::pages
