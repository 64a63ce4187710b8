#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gateway/static_files.h"
#include "net/httplib_app.h"
#include "net/request_head.h"

namespace sse::gateway {

/// What is served as it is, by the head of a request alone: the client module of each service, and the demo page or the
/// files of a folder. Conditional requests, ranges and HEAD work on all of it (RFC 9110 §13, §14); what is part of the
/// program can be had compressed.
class PageContent {
 public:
  /// `web_root`: empty for none.
  PageContent(bool demo_page, const std::string& web_root);
  ~PageContent();
  PageContent(const PageContent&) = delete;
  PageContent& operator=(const PageContent&) = delete;

  /// The client module at `path` and `path`/sse.js. Before the first answer().
  void add_service(const std::string& path);
  /// Where something is that does not come from a folder.
  std::vector<std::string> paths() const;

  /// The complete answer, or nullopt for what is not served here. `headers`: lines with their CRLF that it is to have,
  /// too. Thread safe; reads the disk.
  std::optional<net::Reply> answer(const net::RequestHead& head, const std::string& headers, bool keep_alive,
                                   WallTime now) const;

 private:
  /// Bytes of the program, and how they are given out.
  class Resource;
  struct Entry {
    std::string path;
    const Resource* resource;
    const Resource* classic;  ///< given when `script-type` asks for a script that is no module; null: there is none
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

}  // namespace sse::gateway
