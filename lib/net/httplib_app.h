#pragma once

#include <httplib.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/hand_over.h"
#include "net/peer.h"
#include "net/reply.h"

namespace sse::net {

/// What belongs to a request besides its text.
struct RequestExtras {
  int file = -1;                ///< unless -1: the file with the body, from its start; the text is then the head alone
  std::uint64_t file_size = 0;  ///< bytes of that body
  bool loadable = false;        ///< the body in the file may be read into memory as a whole
  const Admission* admission = nullptr;
};

/// Reads `size` bytes of a body in a file from `offset`, or fewer at the end of the file. Throws Error(kIo).
std::string read_body_file(const RequestExtras& extras, std::uint64_t offset, std::size_t size);

/// A multipart body that its handler reads itself. Valid while the request is handled.
class MultipartBody {
 public:
  MultipartBody(std::string content_type, std::string_view bytes)
      : content_type_(std::move(content_type)), bytes_(bytes), size_(bytes.size()) {}
  MultipartBody(std::string content_type, int file, std::uint64_t size)
      : content_type_(std::move(content_type)), file_(file), size_(size) {}

  const std::string& content_type() const { return content_type_; }
  std::uint64_t size() const { return size_; }
  /// Passes the whole body to `use`, piece by piece. Throws Error(kIo), and what `use` throws.
  void read(const std::function<void(std::string_view)>& use) const;

 private:
  std::string content_type_;
  std::string_view bytes_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

/// cpp-httplib as codec and router: routes are registered as with any httplib::Server (Get, Post, …), but requests come
/// from HttpFront and responses go back to it. Register all routes before the first process(). Handlers run on worker
/// threads, several at once, and may block.
class HttplibApp : public httplib::Server {
 public:
  HttplibApp();

  /// Sees every request of process() first: returns the response, or nullopt to leave the request to the routes. When
  /// the body is in a file, it is not in `request`.
  using Interceptor = std::function<std::optional<Reply>(std::string_view request, const Peer& peer, bool keep_alive,
                                                         const RequestExtras& extras)>;
  void set_interceptor(Interceptor interceptor) { interceptor_ = std::move(interceptor); }

  /// Handles one complete request as normalized_request() writes it. Thread safe. Never throws.
  Reply process(std::string_view request, const Peer& peer, bool keep_alive, const RequestExtras& extras = {});
  /// As process(), but without the interceptor.
  Reply process_locally(std::string_view request, const Peer& peer, bool keep_alive, const RequestExtras& extras = {});

  /// For the handler of a request: its multipart body, which httplib has not seen; the request looks as if it had no
  /// body and no Content-Type. Null for a request of another type.
  static const MultipartBody* multipart_body(const httplib::Request& req);
  /// For the handler of a request: RequestExtras::admission.
  static const Admission* admission(const httplib::Request& req);

  /// To be called by the handler of `req`: answer with `res`'s status and headers and an endless body of `content_type`
  /// that `take` writes. Nothing else of `res` is sent. REQUIRES: `req` came from process(), and the headers do not
  /// declare the body's framing.
  static void hand_over(const httplib::Request& req, httplib::Response& res, const std::string& content_type,
                        HandOver take);

 private:
  Interceptor interceptor_;
};

}  // namespace sse::net
