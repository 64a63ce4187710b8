#include "pages/page_content.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "hub/attributes.h"
#include "net/representation.h"
#include "web/resource.h"
#include "web/web.h"

namespace sse::pages {
namespace {

using net::Reply;
using net::RequestHead;

constexpr const char* kText = "text/plain; charset=utf-8";
// Browsers have to see a new release or deployment immediately; revalidation costs them a 304.
constexpr const char* kRevalidate = "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n";
// RFC 8246: not even a reload asks again.
constexpr const char* kForever =
    "Cache-Control: public, max-age=31536000, immutable\r\nX-Content-Type-Options: nosniff\r\n";
constexpr const char* kVary = "Vary: Accept-Encoding, Origin\r\n";
constexpr const char* kPagePolicy =
    "Content-Security-Policy: default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'\r\n";

bool reads(const RequestHead& head) {
  return head.method == "GET" || head.method == "HEAD";
}

}  // namespace

PageContent::PageContent(bool demo_page, const std::string& web_root) {
  const auto add = [this](std::string_view type, std::string_view bytes, const std::string& headers) {
    resources_.push_back(std::make_unique<web::Resource>(type, bytes, headers + kVary));
    return resources_.back().get();
  };
  module_of_service_ = add(web::kJavascript, web::client_module_of_service(), "");
  script_of_service_ = add(web::kJavascript, web::client_script_of_service(), "");
  script_ = add(web::kJavascript, web::client_script(), "");
  for (const web::ClientFile& file : web::client_files())
    client_files_.push_back(add(file.content_type, file.bytes, ""));
  if (!web_root.empty()) {
    files_ = std::make_unique<StaticFiles>(web_root);
  } else if (demo_page) {
    for (const web::Asset& asset : web::page_assets())
      entries_.push_back({std::string(asset.path), add(asset.content_type, asset.bytes, kPagePolicy)});
  }
}

PageContent::~PageContent() = default;

void PageContent::add_service(const std::string& path) {
  services_.push_back(path);
  entries_.push_back({path, module_of_service_, script_of_service_});
  for (std::size_t i = 0; i < client_files_.size(); ++i) {
    const std::string name(web::client_files()[i].name);
    const std::string same = web::client_release() + "/" + name;
    const web::Resource* classic = name == "sse.js" ? script_ : nullptr;
    entries_.push_back({path + "/" + name, client_files_[i], classic, false, same});
    entries_.push_back({path + "/" + same, client_files_[i], classic, true});
  }
}

const PageContent::Entry* PageContent::find(const std::string& path) const {
  const auto named = [this](std::string_view wanted) {
    const auto entry = std::ranges::find(entries_, wanted, &Entry::path);
    return entry != entries_.end() ? &*entry : nullptr;
  };
  if (const Entry* entry = named(path)) return entry;
  // The path of another release.
  const std::size_t file = path.rfind('/');
  if (file == std::string::npos || file == 0) return nullptr;
  const std::size_t release = path.rfind('/', file - 1);
  if (release == std::string::npos || std::isdigit(static_cast<unsigned char>(path[release + 1])) == 0) return nullptr;
  const Entry* entry = named(path.substr(0, release) + path.substr(file));
  return entry != nullptr && !entry->same_as.empty() ? entry : nullptr;
}

std::vector<std::string> PageContent::paths() const {
  std::vector<std::string> all;
  for (const Entry& entry : entries_) all.push_back(entry.path);
  return all;
}

std::optional<Reply> PageContent::answer(const RequestHead& head, const std::string& headers, bool keep_alive,
                                         WallTime now) const {
  const std::optional<std::string> path = decoded_path(head.target);
  if (!path) {
    return net::short_reply(head, "400 Bad Request", headers, kText,
                            "the path of the request contains a control character, or a '%' without two digits\n",
                            keep_alive);
  }
  if (const Entry* entry = find(*path); entry != nullptr) {
    if (!reads(head)) return std::nullopt;
    const auto parameters =
        entry->classic != nullptr ? form_values(query_of(head.target)) : decltype(form_values(""))();
    const auto type = parameters.find("script-type");
    const bool classic = type != parameters.end() && !type->second.empty() && to_lower(type->second) != "module";
    std::string lines = headers + (entry->released ? kForever : kRevalidate);
    // A client can load the same bytes from there, and keep them (RFC 9110 §8.7).
    if (!classic && !entry->same_as.empty()) lines += "Content-Location: " + entry->same_as + "\r\n";
    return (classic ? entry->classic : entry->resource)->answer(head, lines, keep_alive, now);
  }
  const bool is_service_path = std::ranges::any_of(
      services_, [&](const std::string& service) { return path->starts_with(service + "/connect"); });
  if (!files_ || is_service_path || head.method == "OPTIONS") return std::nullopt;
  bool found = false;
  Reply reply = answer_file(head, *path, headers, keep_alive, now, found);
  if (!found) return std::nullopt;
  return reply;
}

Reply PageContent::answer_file(const RequestHead& head, const std::string& path, const std::string& headers,
                               bool keep_alive, WallTime now, bool& found) const {
  StaticFiles::File file;
  const StaticFiles::Result result = files_->find(path, file);
  found = result != StaticFiles::Result::kNone;
  if (!found) return {};
  if (!reads(head)) {
    return net::short_reply(head, "405 Method Not Allowed", headers + "Allow: GET, HEAD\r\n", kText,
                            "this path accepts only GET and HEAD\n", keep_alive);
  }
  switch (result) {
    case StaticFiles::Result::kFolder: {
      // The target as received, so that it needs no new escapes. It begins with a single slash: paths with empty
      // segments are not found.
      const std::size_t end = std::min(head.target.find('?'), head.target.size());
      const std::string to = std::string(head.target.substr(0, end)) + "/" + std::string(head.target.substr(end));
      return net::short_reply(head, "301 Moved Permanently", headers + kRevalidate + "Location: " + to + "\r\n", kText,
                              "this is a folder; its address ends with '/'\n", keep_alive);
    }
    case StaticFiles::Result::kBusy:
      return net::short_reply(head, "503 Service Unavailable", headers + "Retry-After: 5\r\n", kText,
                              "the server sends the maximum number of files at once; try again later\n", keep_alive);
    default:
      break;
  }
  net::Representation representation;
  representation.content_type = file.content_type;
  representation.etag = file.etag;
  representation.modified = file.modified;
  representation.headers = headers + kRevalidate;
  representation.size = file.size;
  representation.file = file.fd;
  return net::represent(head, representation, keep_alive, now);
}

}  // namespace sse::pages
