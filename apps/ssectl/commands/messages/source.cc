#include "ssectl/commands/messages/source.h"

#include "ssectl/commands/messages/pending_file.h"

namespace sse::ctl {

void declare_db(cli::App& app, std::string& path) {
  app.add_option("--db", path, "Read this database file instead of asking a server").type_name("FILE");
}

api::Json list_messages(Context& context, const std::string& path, const api::MessageQuery& query,
                        const api::Page& page) {
  return path.empty() ? context.client().list_messages(query, page) : list_file(path, query, page);
}

api::Json show_message(Context& context, const std::string& path, MessageId id) {
  return path.empty() ? context.client().show_message(id) : show_file(path, context.service(), id);
}

}  // namespace sse::ctl
