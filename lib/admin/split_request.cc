#include "admin/split_request.h"

#include <cstddef>
#include <string>
#include <utility>

#include "api/types.h"

namespace sse::admin {

using cluster::RawRequest;
using event::Json;

namespace {

// Bytes of names in one request to all nodes.
constexpr std::size_t kPieceBytes = std::size_t{128} << 10;
constexpr std::size_t kIdBytes = 23;

// Splits `all` into bodies with about kPieceBytes of names each.
template <class Request, class Write>
void add_pieces(const Request& all, Write write, std::vector<std::string>& bodies) {
  Request part = all;
  const auto finish = [&] {
    bodies.push_back(event::dump_json(write(part)));
    part.ids.clear();
    if (part.target) part.target->names.clear();
  };
  if (all.target && all.target->names.empty()) {
    finish();
    return;
  }
  part.ids.clear();
  if (part.target) part.target->names.clear();
  std::size_t bytes = 0;
  const auto add = [&](auto& list, const auto& one, std::size_t size) {
    if (bytes != 0 && bytes + size > kPieceBytes) {
      finish();
      bytes = 0;
    }
    list.push_back(one);
    bytes += size;
  };
  for (const ConnectionId id : all.ids) add(part.ids, id, kIdBytes);
  if (all.target) {
    for (const std::string& name : all.target->names) add(part.target->names, name, name.size() + 3);
  }
  finish();
}

}  // namespace

std::vector<RawRequest> split_request(const RawRequest& request) {
  if (request.body.size() <= kPieceBytes) return {request};
  const Json json = event::parse_json(request.body, "the request body");
  std::vector<std::string> bodies;
  if (request.path == "/api/v1/connections/close") {
    add_pieces(
        api::close_request_from_json(json), [](const api::CloseRequest& part) { return api::to_json(part); }, bodies);
  } else {
    const bool with_seconds = request.path == "/api/v1/durations";
    add_pieces(
        api::duration_request_from_json(json, with_seconds),
        [&](const api::DurationRequest& part) { return api::to_json(part, with_seconds); }, bodies);
  }
  std::vector<RawRequest> pieces;
  for (std::string& body : bodies) {
    pieces.push_back(request);
    pieces.back().body = std::move(body);
  }
  return pieces;
}

}  // namespace sse::admin
