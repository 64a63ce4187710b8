#include "web/resource.h"

#include <array>
#include <cstdio>

#include "base/checksum.h"
#include "base/version.h"
#include "net/representation.h"
#include "web/compressed.h"

namespace sse::web {

net::Reply Resource::answer(const net::RequestHead& head, const std::string& headers, bool keep_alive,
                            WallTime now) const {
  std::call_once(compressed_, [this] {
    std::array<char, 16> sum{};
    std::snprintf(sum.data(), sum.size(), "%08x", crc32(bytes_));
    tag_ = std::string(base::kVersion) + "-" + sum.data();
    gzip_ = gzip(bytes_);
    brotli_ = brotli(bytes_);
  });
  net::Representation representation;
  representation.content_type = type_;
  representation.bytes = bytes_;
  representation.headers = headers + headers_;
  std::string coding;
  const std::string accepted = net::joined_header(head, "Accept-Encoding");
  if (net::accepts_encoding(accepted, "br")) {
    coding = "br";
    representation.bytes = brotli_;
  } else if (net::accepts_encoding(accepted, "gzip")) {
    coding = "gzip";
    representation.bytes = gzip_;
  }
  // Each coding has its own entity tag (RFC 9110 §8.8.3.3).
  representation.etag = "\"" + tag_ + (coding.empty() ? "" : "-" + coding) + "\"";
  if (!coding.empty()) representation.headers += "Content-Encoding: " + coding + "\r\n";
  representation.size = representation.bytes.size();
  return net::represent(head, representation, keep_alive, now);
}

}  // namespace sse::web
