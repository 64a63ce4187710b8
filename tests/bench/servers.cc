#include "servers.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "api/client.h"
#include "base/error.h"
#include "ssectl/load/mark.h"

namespace sse::bench {

int free_port() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
    throw system_error(errno, "cannot find a free port");
  return ntohs(name.sin_port);
}

namespace {

UniqueFd connect_to(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || load::Peer("127.0.0.1", port).connect(fd.get()) != 0)
    throw system_error(errno, "cannot connect to port " + std::to_string(port));
  return fd;
}

std::string join(const Settings& settings, const char* name) {
  return settings.folder + "/" + name;
}

std::vector<std::string> serve_command(const Settings& settings, const std::vector<std::string>& options,
                                       const std::string& admin) {
  std::vector<std::string> words{settings.sse_serve, "--admin", admin, "--log-level", "error"};
  words.insert(words.end(), options.begin(), options.end());
  const auto has = [&](const char* option) { return std::ranges::find(options, option) != options.end(); };
  if (!has("--listen")) words.insert(words.end(), {"--listen", "127.0.0.1:0"});
  if (!has("--db")) words.insert(words.end(), {"--db", ":memory:"});
  return words;
}

// A new admin socket for each server, because several may run at once.
std::string next_admin(const Settings& settings) {
  static int count = 0;
  return "unix:" + join(settings, "admin-") + std::to_string(++count) + ".sock";
}

int configure_nginx(const Settings& settings, bool empty) {
  const int port = free_port();
  const std::string& folder = settings.folder;
  std::ofstream file(join(settings, "nginx.conf"));
  if (!empty) file << "load_module " << settings.nchan << ";\n";
  // More worker_connections than descriptors: nginx resets connections when less than a sixteenth of them is free.
  file << "worker_processes " << (empty ? "auto" : "1") << ";\nworker_rlimit_nofile 20000;\ndaemon off;\n"
       << (geteuid() == 0 ? "user root;\n" : "") << "pid " << folder << "/nginx.pid;\nerror_log " << folder
       << "/nginx.log;\nevents { worker_connections 24000; multi_accept on; }\nhttp { access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    file << kind << "_temp_path " << folder << "/" << kind << ";\n";
  file << "keepalive_requests 100000000; keepalive_timeout 600;\nserver { listen 127.0.0.1:" << port
       << " backlog=4096;\nlocation /empty { return 200; }\n";
  if (!empty) {
    file << "location ~ /sub/(.+)$ { nchan_subscriber eventsource; nchan_channel_id $1; "
            "nchan_channel_id_split_delimiter \",\"; }\n"
            "location ~ /pub/(.+)$ { nchan_publisher http; nchan_channel_id $1; nchan_message_buffer_length 0; }\n";
  }
  file << "} }\n";
  return port;
}

}  // namespace

std::string Server::data(std::size_t size) {
  return load::payload({steady_now(), 0, sequence_++}, size);
}

void Server::read_port() {
  constexpr std::string_view kHost = "http://127.0.0.1:";
  const std::string& text = process().printed();
  port_ = std::atoi(text.c_str() + std::min(text.find(kHost) + kHost.size(), text.size()));
}

BareLoop::BareLoop(const Settings& settings) : Server("bare send() loop", {settings.bare, "0"}, "http://") {
  read_port();
}

void BareLoop::broadcast(int events, std::size_t size) {
  if (!control_.valid()) control_ = connect_to(port());
  const std::string command = "!" + std::to_string(events) + " " + std::to_string(size) + "\n";
  char answer[8];
  if (send(control_.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0 ||
      recv(control_.get(), answer, sizeof answer, 0) <= 0) {
    throw Error(ErrorCode::kUnavailable, "the bare loop has exited");
  }
}

std::string BareLoop::request(std::size_t) const {
  return "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

SseServe::SseServe(const Settings& settings, const std::string& name, std::vector<std::string> options,
                   std::string parameters)
    : SseServe(settings, name, std::move(options), std::move(parameters), next_admin(settings)) {}

SseServe::SseServe(const Settings& settings, const std::string& name, std::vector<std::string> options,
                   std::string parameters, std::string admin)
    : Server(name, serve_command(settings, options, admin), "http://127.0.0.1:"),
      admin_(std::move(admin)),
      parameters_(std::move(parameters)) {
  read_port();
  for (int i = 0; i < 500 && access(admin_.c_str() + 5, F_OK) != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  one_ = std::make_unique<load::Poster>(admin_, "/api/v1/send", "application/json");
  many_ = std::make_unique<load::Poster>(admin_, "/api/v1/send", "application/x-ndjson");
}

std::string SseServe::message(const std::string& target, const std::string& data, bool qos) {
  return R"({"target":{)" + target + R"(},"event":"bench",)" + (qos ? R"("qos":true,)" : "") + R"("data":")" + data +
         "\"}";
}

void SseServe::require_accepted(const load::Poster::Answer& answer) {
  if (!answer.good() || answer.body.find("\"status\":") != std::string_view::npos)
    throw Error(ErrorCode::kInternal, "sse-serve answered " + std::string(answer.body.substr(0, 300)));
}

void SseServe::post(load::Poster& poster, const std::string& body) {
  require_accepted(poster.post(body));
}

void SseServe::send(const std::string& body) {
  post(*many_, body);
}

void SseServe::broadcast(int events, std::size_t size) {
  if (events == 1) return broadcast_singly(1, size);
  std::string body;
  for (int i = 0; i < events; ++i) body += message(R"("all":true)", data(size)) + "\n";
  post(*many_, body);
}

void SseServe::broadcast_singly(int events, std::size_t size) {
  for (int i = 0; i < events; ++i) post(*one_, message(R"("all":true)", data(size)));
}

std::string SseServe::unicast_body(std::size_t stream, std::size_t size, SteadyTime intended) {
  return message(R"("users":["u)" + std::to_string(stream) + R"("])", load::payload({intended, 0, sequence_++}, size));
}

void SseServe::unicast(std::size_t stream, std::size_t size, SteadyTime intended) {
  post(*one_, unicast_body(stream, size, intended));
}

void SseServe::unicast_bulk(const std::vector<std::size_t>& streams, std::size_t size) {
  std::string body;
  for (const std::size_t stream : streams) body += unicast_body(stream, size) + "\n";
  post(*many_, body);
}

std::string SseServe::request(std::size_t stream) const {
  return "GET /my-sse/connect?userId=u" + std::to_string(stream) + "&keepaliveTime=0" + parameters_ +
         " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

double SseServe::status(const std::string& name) const {
  const api::Json status = api::Client(api::ClientOptions{admin_, "", std::chrono::seconds(10)}).status();
  return name.starts_with('.') ? status.at("counters").value(name.substr(1), 0.0) : status.value(name, 0.0);
}

Nginx::Nginx(const Settings& settings, Channels channels, bool empty)
    : Nginx(settings, channels, empty, configure_nginx(settings, empty)) {}

Nginx::Nginx(const Settings& settings, Channels channels, bool empty, int port)
    : Server(empty ? "nginx" : "nchan", {settings.nginx, "-c", join(settings, "nginx.conf"), "-p", settings.folder},
             ""),
      channels_(channels),
      empty_(empty) {
  port_ = port;
  for (int i = 0; !publisher_; ++i) {
    try {
      publisher_ = std::make_unique<load::Poster>("http://127.0.0.1:" + std::to_string(port), "/pub/", "text/plain");
    } catch (const Error&) {
      if (i == 100) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

Nginx::Nginx(const Settings& settings, const std::vector<std::string>& channels)
    : Nginx(settings, Channels::kShared, false) {
  shared_.clear();
  for (const std::string& channel : channels) shared_ += (shared_.empty() ? "" : ",") + channel;
}

void Nginx::broadcast(int events, std::size_t size) {
  for (int i = 0; i < events; ++i) {
    if (!publisher_->post_to("all", data(size)).good()) throw Error(ErrorCode::kInternal, "nchan refused an event");
  }
}

void Nginx::unicast(std::size_t stream, std::size_t size) {
  if (!publisher_->post_to("u" + std::to_string(stream), data(size)).good())
    throw Error(ErrorCode::kInternal, "nchan refused an event");
}

std::string Nginx::request(std::size_t stream) const {
  if (empty_) return "GET /empty HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string channel = channels_ == Channels::kShared ? shared_ : "u" + std::to_string(stream);
  return "GET /sub/" + channel + " HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
}

std::string page_parameters() {
  return "&clientId=6f2d7d5e-7c1b-4a3e-9a53-2f1f7a9c1d11&clientInstanceId=1&clientInstanceTime=1700000000000"
         "&clientImportModuleTime=1700000000000&clientVersion=1.2.14&listeners=server-push,order-changed,chat-message"
         "&sessionDuration=12&accessTime=1700000000000&screen=1920x1080"
         "&locationHref=https%3A%2F%2Fexample.com%2Fdashboard%2Forders%3Ftab%3Dopen&useWindowEventBus=true"
         "&totalJSHeapSize=12345678&usedJSHeapSize=9345678&jsHeapSizeLimit=4294705152"
         "&access-token=0123456789abcdef0123456789abcdef";
}

}  // namespace sse::bench
