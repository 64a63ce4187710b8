#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "application/service.h"
#include "base/ids.h"
#include "net/httplib_app.h"
#include "store/message_repository.h"

/// Shared by the routes for messages: reading their parameters.
namespace sse::admin {

/// The content type of a request or response with one JSON document per line.
inline constexpr const char* kNdjson = "application/x-ndjson";

/// Reads a filter from `service`, `kind`, `recipient`, `tenant` and `event`. `also`: further allowed parameters. Throws
/// Error(kInvalidArgument) for any other, or for an invalid value, and Error(kNotFound) for an unknown service.
store::MessageFilter message_filter(const httplib::Request& req, const std::vector<application::Service>& services,
                                    std::initializer_list<std::string_view> also);
/// A message id; not valid when the parameter is absent. Throws Error(kInvalidArgument).
MessageId id_parameter(const httplib::Request& req, const char* name);

}  // namespace sse::admin
