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

namespace sse::web {
class Resource;
}

namespace sse::pages {

/// Serves static content from the head of a request alone: the client of each service, and the demo page or the files
/// of a folder. Supports conditional requests, ranges and HEAD (RFC 9110 §13, §14), and compression of content that is
/// part of the program.
class PageContent {
 public:
  /// `web_root`: empty for none.
  PageContent(bool demo_page, const std::string& web_root);
  ~PageContent();
  PageContent(const PageContent&) = delete;
  PageContent& operator=(const PageContent&) = delete;

  /// Serves the client module at `path`, and the files of the client (web::client_files) below it: at `path`/<name>,
  /// which browsers revalidate, and at `path`/<release>/<name>, which they may keep for ever. Another release's path
  /// has the files of this one, but is revalidated: during an update, a page may have the module of another node. Call
  /// before the first answer().
  void add_service(const std::string& path);
  /// The paths of all content that does not come from a folder.
  std::vector<std::string> paths() const;

  /// The complete response, or nullopt for paths that are not served here. `headers`: further header lines with CRLF.
  /// Thread safe; reads the disk.
  std::optional<net::Reply> answer(const net::RequestHead& head, const std::string& headers, bool keep_alive,
                                   WallTime now) const;

 private:
  struct Entry {
    std::string path;
    const web::Resource* resource;
    const web::Resource* classic = nullptr;  ///< for `script-type` other than module; null: none
    bool released = false;                   ///< the path names the release
    std::string same_as = {};                ///< of a client file: its path with the release, relative to `path`
  };
  const Entry* find(const std::string& path) const;

  net::Reply answer_file(const net::RequestHead& head, const std::string& path, const std::string& headers,
                         bool keep_alive, WallTime now, bool& found) const;

  std::vector<std::unique_ptr<web::Resource>> resources_;
  const web::Resource* module_of_service_;
  const web::Resource* script_of_service_;
  const web::Resource* script_;
  std::vector<const web::Resource*> client_files_;  // in the order of web::client_files
  std::vector<Entry> entries_;
  std::vector<std::string> services_;
  std::unique_ptr<StaticFiles> files_;
};

}  // namespace sse::pages
