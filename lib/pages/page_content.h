#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/httplib_app.h"
#include "net/request_head.h"
#include "pages/static_files.h"

namespace sse::pages {

/// Serves static content from the head of a request alone: the client module of each service, and the demo page or the
/// files of a folder. Supports conditional requests, ranges and HEAD (RFC 9110 §13, §14), and compression of content
/// that is part of the program.
class PageContent {
 public:
  /// `web_root`: empty for none.
  PageContent(bool demo_page, const std::string& web_root);
  ~PageContent();
  PageContent(const PageContent&) = delete;
  PageContent& operator=(const PageContent&) = delete;

  /// Serves the client module at `path` and `path`/sse.js. Call before the first answer().
  void add_service(const std::string& path);
  /// The paths of all content that does not come from a folder.
  std::vector<std::string> paths() const;

  /// The complete response, or nullopt for paths that are not served here. `headers`: further header lines with CRLF.
  /// Thread safe; reads the disk.
  std::optional<net::Reply> answer(const net::RequestHead& head, const std::string& headers, bool keep_alive,
                                   WallTime now) const;

 private:
  /// Content that is part of the program, with its compressed forms.
  class Resource;
  struct Entry {
    std::string path;
    const Resource* resource;
    const Resource* classic;  ///< for `script-type` other than module; null: none
  };

  net::Reply answer_file(const net::RequestHead& head, const std::string& path, const std::string& headers,
                         bool keep_alive, WallTime now, bool& found) const;

  std::vector<std::unique_ptr<Resource>> resources_;
  const Resource* module_;
  const Resource* classic_;
  std::vector<Entry> entries_;
  std::vector<std::string> services_;
  std::unique_ptr<StaticFiles> files_;
};

}  // namespace sse::pages
