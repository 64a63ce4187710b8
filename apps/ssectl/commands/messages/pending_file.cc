#include "ssectl/commands/messages/pending_file.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "event/target.h"
#include "store/message_repository.h"
#include "store/message_row.h"
#include "store/sqlite/sqlite_catalog.h"

namespace sse::ctl {
api::Json list_file(const std::string& path, const api::MessageQuery& query, const api::Page& page) {
  store::MessageFilter filter;
  filter.service = query.service;
  if (!query.kind.empty()) filter.kind = event::kind_from_name(query.kind);
  filter.recipient = query.recipient;
  if (!query.tenant.empty()) {
    if (query.kind != "user" || query.recipient.empty())
      throw Error(ErrorCode::kInvalidArgument, "--tenant needs --kind user and --recipient");
    filter.kind = event::TargetKind::kMember;
    filter.recipient = event::member_name(query.recipient, query.tenant);
  }
  filter.event = query.event;
  const auto catalog = store::open_catalog(path);
  api::Json list = api::Json::array();
  for (const auto& message : catalog->list(filter, (page.number - 1) * page.size, page.size)) {
    list.push_back(store::row_of(message));
  }
  return {
      {"total", catalog->count(filter)}, {"pageNum", page.number}, {"pageSize", page.size}, {"list", std::move(list)}};
}

api::Json show_file(const std::string& path, const ServiceName& service, MessageId id) {
  api::Json list = api::Json::array();
  for (const auto& message : store::open_catalog(path)->find(id)) {
    if (!service.empty() && message.service != service) continue;
    api::Json row = store::row_of(message);
    // Like the server: the data is in the first row only.
    if (list.empty()) row["data"] = message.data;
    list.push_back(std::move(row));
  }
  return {{"list", std::move(list)}};
}

}  // namespace sse::ctl
