#include "ssectl/console/pass.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/text.h"
#include "event/json.h"
#include "net/reason_phrase.h"

namespace sse::ctl {
namespace {

// Of a connection, not of a response (RFC 9110 §7.6.1), and what this program decides itself.
bool is_own_header(const std::string& name) {
  constexpr std::array<std::string_view, 9> kOwn{"connection",     "keep-alive", "transfer-encoding",
                                                 "content-length", "date",       "trailer",
                                                 "upgrade",        "set-cookie", "server"};
  const std::string lower = to_lower(name);
  for (const std::string_view own : kOwn) {
    if (lower == own) return true;
  }
  return false;
}

}  // namespace

std::string problem_document(int status, std::string_view code, std::string_view sentence) {
  return event::dump_json({{"type", "about:blank"},
                           {"title", net::reason_phrase(status)},
                           {"status", status},
                           {"code", code},
                           {"detail", printable(sentence, 1000)}});
}

ConsolePass::ConsolePass(const api::ClientOptions& server, net::HandedOverConnection browser)
    : transport_(server), browser_(std::move(browser)) {}

void ConsolePass::run(const api::ForwardedRequest& request) {
  try {
    const bool whole = transport_.relay(
        request, kMaxQuiet, [this](const api::ForwardedResponse& head) { return begin(head); },
        [this](std::string_view piece) { return add(piece); });
    // Without the last chunk the browser sees that something is missing.
    if (whole && browser_.head.chunked) write("0\r\n\r\n");
  } catch (const Error& e) {
    if (!begun_) refuse(http_status(e.code()), error_name(e.code()), e.what());
  }
  ::shutdown(browser_.socket.fd.get(), SHUT_WR);
}

void ConsolePass::refuse(int status, std::string_view code, std::string_view sentence) {
  begin({status, {{"Content-Type", "application/problem+json"}, {"Cache-Control", "no-store"}}, {}});
  add(problem_document(status, code, sentence));
  if (browser_.head.chunked) write("0\r\n\r\n");
}

void ConsolePass::stop() {
  stopping_.store(true);
  transport_.stop();
}

bool ConsolePass::begin(const api::ForwardedResponse& head) {
  begun_ = true;
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + ' ' + net::reason_phrase(head.status) + "\r\n";
  for (const auto& [name, value] : head.headers) {
    if (!is_own_header(name)) text.append(name).append(": ").append(value).append("\r\n");
  }
  text += "Connection: close\r\n";
  if (browser_.head.chunked) text += "Transfer-Encoding: chunked\r\n";
  return write(text + "\r\n");
}

bool ConsolePass::add(std::string_view piece) {
  if (piece.empty()) return true;
  if (!browser_.head.chunked) return write(piece);
  std::array<char, 24> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
  return write(std::string(size.data()).append(piece).append("\r\n"));
}

bool ConsolePass::write(std::string_view bytes) {
  constexpr int kSlice = 250;  // milliseconds between looks at stopping_
  int waited = 0;
  while (!bytes.empty()) {
    if (stopping_.load()) return false;
    const ssize_t n = browser_.socket.send(bytes);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      waited = 0;
    } else if (errno == EAGAIN) {
      pollfd socket{browser_.socket.fd.get(), POLLOUT, 0};
      if (::poll(&socket, 1, kSlice) == 0 && (waited += kSlice) >= std::chrono::milliseconds(kMaxQuiet).count())
        return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return !stopping_.load();
}

}  // namespace sse::ctl
