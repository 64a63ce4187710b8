#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "application/service.h"
#include "auth/authenticator.h"
#include "auth/tickets.h"
#include "net/router.h"
#include "pages/page_admission.h"
#include "pages/page_envelope.h"
#include "store/memory/memory_repository.h"
#include "store/memory/memory_tickets.h"
#include "unit/net/loopback.h"

namespace sse::pages {

/// With which parameters a page opens its stream, and from where.
struct PageClient {
  std::string query{};
  std::string address{};
  std::string host{};
  std::string origin{};
};

/// A service at `/p` with one loop and the demo authentication, for tests of single routes without a server: register
/// them on `router_`, then call request().
class OneServiceTest : public ::testing::Test {
 protected:
  OneServiceTest() {
    loops_.push_back(std::make_unique<net::EventLoop>("loop"));
    delivery::SenderOptions options;
    options.hub.service = ServiceName("s");
    services_.push_back({"/p", std::make_unique<delivery::Sender>(options, loops_, ids_, metrics_, repository_)});
    loops_.front()->start();
  }
  ~OneServiceTest() override {
    service().sender->stop();
    loops_.front()->stop();
  }

  const application::Service& service() const { return services_.front(); }

  struct Page {
    ConnectionId id;
    testing::Client client;
  };
  /// Opens a stream of that user.
  Page open(const std::string& user, const PageClient& client = {}) {
    auto pair = testing::tcp_pair();
    hub::NewConnection fresh;
    fresh.identity.user = UserId(user);
    fresh.confirms = true;
    fresh.attributes = {client.query, client.address, "", client.host, client.origin, ""};
    fresh.socket = std::move(pair.server);
    Page page{service().sender->hub().connect(std::move(fresh)), std::move(pair.client)};
    EXPECT_TRUE(page.client.receive_until("\n\n"));
    return page;
  }

  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    net::HandOver hand_over;
  };
  Answer request(const std::string& method, const std::string& target, const std::string& body = "",
                 const std::string& headers = "") {
    const std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    net::Reply reply = app_.process(text, {"192.0.2.1", 4711}, true);
    const std::size_t end = std::min(reply.bytes.find("\r\n\r\n"), reply.bytes.size());
    return {std::stoi(reply.bytes.substr(9, 3)), reply.bytes.substr(0, end),
            reply.bytes.substr(std::min(end + 4, reply.bytes.size())), std::move(reply.hand_over)};
  }

  IdGenerator ids_{1};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<application::Service> services_;
  const OriginPolicy origins_{{}, {}, false};
  const auth::TrustedProxies proxies_{std::vector<std::string>{}};
  const std::unique_ptr<auth::Authenticator> authenticator_ = auth::make_demo_authenticator();
  store::MemoryTickets ticket_store_{{10, mebibytes(1)}, Clock::system()};
  auth::Tickets tickets_{ticket_store_, 0, Clock::system(), metrics_};
  const PageAdmission admission_{*authenticator_, proxies_, origins_, &tickets_};
  net::HttplibApp app_;
  net::Router router_{app_, write_page_error};
};

}  // namespace sse::pages
