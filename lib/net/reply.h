#pragma once

#include <string>

#include "net/file_body.h"
#include "net/hand_over.h"

namespace sse::net {

/// The result of handling one request.
struct Reply {
  std::string bytes;  ///< the response; only its head when `hand_over` is set
  bool keep_alive = false;
  FileBody file;  ///< the rest of the response, after `bytes`
  HandOver hand_over;
};

}  // namespace sse::net
