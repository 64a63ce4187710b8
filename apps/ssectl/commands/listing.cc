#include "ssectl/commands/listing.h"

#include "ssectl/input/values.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {

void Listing::declare_filters(cli::App& app) {
  const auto filter = [&](const char* name, std::string& value, const char* type, const char* help) {
    app.add_option(name, value, help).type_name(type);
  };
  filter("-u,--user", query.user, "USER", "Only of this user");
  filter("--tenant", query.tenant, "TENANT", "Only of this tenant");
  filter("--token", query.token, "TOKEN", "Only with this access token");
  filter("--channel", query.channel, "CHANNEL", "Only in this channel");
  filter("--listening", query.listening, "EVENT", "Only streams that listen to this event");
  filter("--client", query.client, "CLIENT", "Only of this clientId");
  app.add_option("--attribute", attributes, "Only with this value of a parameter or attribute; repeatable")
      .type_name("NAME=VALUE")
      .one_value_each();
  filter("--name", query.name, "PART", "Only users whose name contains this, ignoring case; without a name: the id");
}

void Listing::declare_order(cli::App& app, const std::vector<std::string>& keys) {
  std::string help = "Sort key (default " + keys.front() + "):";
  for (const std::string& key : keys) help += (key == keys.front() ? " " : ", ") + key;
  app.add_option("--sort", query.sort, help).type_name("KEY").one_of(keys);
  app.add_flag("-r,--reverse", query.reverse, "Descending order");
  page.declare(app);
  app.add_flag("--count", count, "Print only the number of matches");
  watch.declare(app);
}

namespace {

int show(const Listing& listing, Context& context, const FetchListing& fetch_page, const Output::Describe& describe,
         const std::string& empty) {
  api::ConnectionQuery query = with_service(listing.query, context);
  for (const std::string& text : listing.attributes) query.attributes.push_back(named_value("--attribute", text));
  Output& out = context.out();
  if (listing.count) {
    const std::uint64_t total = count_in(fetch_page(query, {1, 1}), "total");
    out.result({{"total", total}}, std::to_string(total));
    return kDone;
  }
  const api::Json page = fetch(
      listing.page, [&](const api::Page& p) { return fetch_page(query, p); }, out);
  out.result_list(page, describe, empty);
  return kDone;
}

}  // namespace

int run_listing(const Listing& listing, Context& context, const FetchListing& fetch_page,
                const Output::Describe& describe, const std::string& empty) {
  return listing.watch.run(context, [&] { return show(listing, context, fetch_page, describe, empty); });
}

}  // namespace sse::ctl
