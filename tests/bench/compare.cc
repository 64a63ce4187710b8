// Measures sse-serve next to references in the same run, taking turns (A B A B), as medians: machines are shared and
// noisy, ratios are not. scripts/bench runs it and explains the figures.
//
//   compare --sse-serve FILE --bare FILE [--nginx FILE --nchan MODULE] [--streams N] [--rounds N] [--output FILE]
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "load/mark.h"
#include "load/poster.h"
#include "load/stream_clients.h"

namespace {

using namespace sse;  // NOLINT(google-build-using-namespace): a program's main file
using Json = nlohmann::ordered_json;

struct Settings {
  std::string sse_serve, bare, nginx, nchan, output;
  std::size_t streams = 10000;
  int rounds = 5;
  std::size_t size = 100;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// A server under test: a child process and how to make it send.
class Server {
 public:
  explicit Server(std::string name) : name_(std::move(name)) {}
  virtual ~Server() {
    for (const pid_t pid : pids_) kill(pid, SIGTERM);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& name() const { return name_; }
  int port() const { return port_; }
  /// Sends `events` to every stream, as one burst.
  virtual void broadcast(int events, std::size_t size) = 0;
  virtual std::string request(std::size_t stream) const = 0;
  /// User and system time so far, of all its processes.
  double cpu_seconds() const {
    double total = 0;
    for (const pid_t pid : processes()) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
      std::string text((std::istreambuf_iterator<char>(file)), {});
      std::istringstream rest(text.substr(std::min(text.rfind(')') + 2, text.size())));
      std::string field;
      for (int i = 0; i < 11 && rest >> field; ++i) {
      }
      double user = 0;
      double system = 0;
      rest >> user >> system;
      total += (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
    }
    return total;
  }
  double resident_bytes() const {
    double total = 0;
    for (const pid_t pid : processes()) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
      double size = 0;
      double resident = 0;
      file >> size >> resident;
      total += resident * static_cast<double>(sysconf(_SC_PAGESIZE));
    }
    return total;
  }

 protected:
  // Starts a program; returns its output up to the first line that holds `ready`.
  std::string start(const std::vector<std::string>& words, const std::string& ready) {
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(pipe_fds[1], 1);
      std::vector<char*> argv;
      for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
    ::close(pipe_fds[1]);
    pids_.push_back(pid);
    std::string text;
    char byte = 0;
    while (!ready.empty() && text.find(ready) == std::string::npos) {
      pollfd wait{pipe_fds[0], POLLIN, 0};
      if (poll(&wait, 1, 10000) != 1 || read(pipe_fds[0], &byte, 1) != 1)
        throw Error(ErrorCode::kUnavailable, words[0] + " did not start");
      text += byte;
    }
    while (!ready.empty() && read(pipe_fds[0], &byte, 1) == 1 && byte != '\n') text += byte;
    output_.reset(pipe_fds[0]);
    return text;
  }
  void set_port_from(const std::string& text) {
    const std::size_t at = text.find("http://127.0.0.1:");
    port_ = std::atoi(text.c_str() + at + 17);
  }

  std::vector<pid_t> pids_;
  int port_ = 0;

 private:
  // The process started and its children (nginx workers).
  std::vector<pid_t> processes() const {
    std::vector<pid_t> all = pids_;
    for (const pid_t pid : pids_) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
      pid_t child = 0;
      while (file >> child) all.push_back(child);
    }
    return all;
  }

  std::string name_;
  UniqueFd output_;
};

class BareLoop final : public Server {
 public:
  explicit BareLoop(const Settings& settings) : Server("bare send() loop") {
    set_port_from(start({settings.bare, "0"}, "http://"));
  }

  void broadcast(int events, std::size_t size) override {
    if (!control_.valid()) {
      control_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in name{};
      name.sin_family = AF_INET;
      name.sin_port = htons(static_cast<std::uint16_t>(port()));
      name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(control_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
        throw system_error(errno, "connect");
    }
    const std::string command = "!" + std::to_string(events) + " " + std::to_string(size) + "\n";
    char answer[8];
    if (send(control_.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0 ||
        recv(control_.get(), answer, sizeof answer, 0) <= 0) {
      throw Error(ErrorCode::kUnavailable, "the bare loop has gone");
    }
  }
  std::string request(std::size_t) const override { return "GET / HTTP/1.1\r\nHost: x\r\n\r\n"; }

 private:
  UniqueFd control_;
};

class SseServe final : public Server {
 public:
  SseServe(const Settings& settings, const std::string& name, int loops, const std::string& folder) : Server(name) {
    admin_ = "unix:" + folder + "/admin-" + std::to_string(loops) + ".sock";
    set_port_from(start({settings.sse_serve, "--listen", "127.0.0.1:0", "--db", ":memory:", "--admin", admin_,
                         "--loops", std::to_string(loops), "--log-level", "error"},
                        "http://"));
    for (int i = 0; i < 200 && access(admin_.c_str() + 5, F_OK) != 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    one_ = std::make_unique<load::Poster>(admin_, "/api/v1/send", "application/json");
    many_ = std::make_unique<load::Poster>(admin_, "/api/v1/send", "application/x-ndjson");
  }
  void broadcast(int events, std::size_t size) override {
    std::string body;
    for (int i = 0; i < events; ++i) {
      if (i != 0) body += '\n';
      body += R"({"target":{"all":true},"event":"bench","data":")" +
              load::payload({steady_now(), 0, sequence_++}, size) + "\"}";
    }
    (events == 1 ? *one_ : *many_).post(body);
  }
  void unicast(std::size_t stream, std::size_t size) {
    one_->post(R"({"target":{"users":["u)" + std::to_string(stream) + R"("]},"event":"bench","data":")" +
               load::payload({steady_now(), 0, sequence_++}, size) + "\"}");
  }
  std::string request(std::size_t stream) const override {
    return "GET /my-sse/connect?userId=u" + std::to_string(stream) + "&keepaliveTime=0" + extra_ +
           " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  void set_extra(std::string parameters) { extra_ = std::move(parameters); }

 private:
  std::string admin_, extra_;
  std::uint64_t sequence_ = 0;
  std::unique_ptr<load::Poster> one_, many_;
};

class Nchan final : public Server {
 public:
  Nchan(const Settings& settings, const std::string& folder) : Server("nchan") {
    port_ = 20000 + getpid() % 20000;
    std::ofstream(folder + "/nginx.conf")
        << "load_module " << settings.nchan
        << ";\nworker_processes 1;\nworker_rlimit_nofile 20000;\ndaemon off;\nuser root;\npid " << folder
        << "/nginx.pid;\nerror_log " << folder
        << "/nginx.log;\nevents { worker_connections 19500; }\nhttp { access_log off; client_body_temp_path " << folder
        << "/b; proxy_temp_path " << folder << "/p; fastcgi_temp_path " << folder << "/f; uwsgi_temp_path " << folder
        << "/u; scgi_temp_path " << folder << "/s; keepalive_requests 1000000; server { listen 127.0.0.1:" << port_
        << " backlog=4096; location ~ /sub/(.+)$ { nchan_subscriber eventsource; nchan_channel_id all $1; } location ~ "
           "/pub/(.+)$ { nchan_publisher http; "
           "nchan_channel_id $1; nchan_message_buffer_length 0; } } }\n";
    start({settings.nginx, "-c", folder + "/nginx.conf", "-p", folder}, "");
    for (int i = 0; i < 100 && !one_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      try {
        one_ = std::make_unique<load::Poster>(address(), "/pub/all", "text/plain");
      } catch (const Error&) {
        if (i == 99) throw;
      }
    }
  }
  void broadcast(int events, std::size_t size) override {
    for (int i = 0; i < events; ++i) one_->post(load::payload({steady_now(), 0, sequence_++}, size));
  }
  std::string request(std::size_t stream) const override {
    return "GET /sub/u" + std::to_string(stream) + " HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
  }

 private:
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::uint64_t sequence_ = 0;
  std::unique_ptr<load::Poster> one_;
};

// Streams attached to a server for as long as it is measured.
struct Attached {
  Attached(Server& s, std::size_t streams) : server(s) {
    const double before = server.resident_bytes();
    load::ClientOptions options{load::Peer("127.0.0.1", server.port())};
    options.streams = streams;
    options.sources = 4;
    options.request = [this](std::size_t n) { return server.request(n); };
    clients = std::make_unique<load::StreamClients>(options);
    opened = clients->open(streams, {});
    if (opened.failed != 0)
      throw Error(ErrorCode::kUnavailable,
                  server.name() + ": " + std::to_string(opened.failed) + " streams failed, " + opened.first_error);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    bytes_per_stream = (server.resident_bytes() - before) / static_cast<double>(streams);
  }

  Server& server;
  std::unique_ptr<load::StreamClients> clients;
  load::OpenResult opened;
  double bytes_per_stream = 0;
};

struct Fanout {
  double deliveries_per_second = 0;
  double cpu_micros = 0;  // a delivery
};

// `bursts` bursts of `burst` events, each sent when the one before has arrived everywhere.
Fanout fan_out(Attached& attached, int bursts, int burst, std::size_t size) {
  const double cpu = attached.server.cpu_seconds();
  const std::uint64_t per_burst = attached.opened.opened * static_cast<std::uint64_t>(burst);
  std::uint64_t expected = attached.clients->counters().events.load();
  const std::uint64_t first = expected;
  const SteadyTime begin = steady_now();
  for (int i = 0; i < bursts; ++i) {
    attached.server.broadcast(burst, size);
    expected += per_burst;
    if (!attached.clients->wait_events(expected, std::chrono::seconds(10)))
      throw Error(ErrorCode::kTimeout, attached.server.name() + " lost events");
  }
  const double seconds = std::chrono::duration<double>(steady_now() - begin).count();
  const double deliveries = static_cast<double>(expected - first);
  return {deliveries / seconds, (attached.server.cpu_seconds() - cpu) * 1e6 / deliveries};
}

struct Row {
  std::string what;
  std::string unit;
  double ours = 0;
  double reference = 0;
  std::string reference_name;
};

class Table {
 public:
  void add(const Row& row) {
    rows_.push_back(row);
    std::printf("%-58s %14.1f %14.1f %8.2f x  %s\n", (row.what + " [" + row.unit + "]").c_str(), row.ours,
                row.reference, row.reference == 0 ? 0 : row.ours / row.reference, row.reference_name.c_str());
    std::fflush(stdout);
  }
  Json json() const {
    Json list = Json::array();
    for (const Row& row : rows_) {
      list.push_back({{"what", row.what},
                      {"unit", row.unit},
                      {"sseServe", row.ours},
                      {"reference", row.reference},
                      {"referenceName", row.reference_name},
                      {"ratio", row.reference == 0 ? 0 : row.ours / row.reference}});
    }
    return list;
  }

 private:
  std::vector<Row> rows_;
};

// Both take turns; each figure is the median of the rounds.
void compare_fan_out(Table& table, Attached& ours, Attached& reference, const Settings& settings,
                     const std::string& what, int bursts, int burst) {
  std::vector<double> rates[2];
  std::vector<double> cpus[2];
  for (int round = 0; round < settings.rounds; ++round) {
    int side = 0;
    for (Attached* attached : {&ours, &reference}) {
      const Fanout result = fan_out(*attached, bursts, burst, settings.size);
      rates[side].push_back(result.deliveries_per_second);
      cpus[side].push_back(result.cpu_micros);
      ++side;
    }
  }
  table.add({what, "deliveries/s", median(rates[0]), median(rates[1]), reference.server.name()});
  table.add({what, "server CPU us/delivery", median(cpus[0]), median(cpus[1]), reference.server.name()});
}

std::string page_parameters() {
  return "&clientId=6f2d7d5e-7c1b-4a3e-9a53-2f1f7a9c1d11&clientInstanceId=1&clientInstanceTime=1700000000000&"
         "clientImportModuleTime=1700000000000"
         "&clientVersion=1.2.14&listeners=server-push,order-changed,chat-message&sessionDuration=12&accessTime="
         "1700000000000&screen=1920x1080"
         "&locationHref=https%3A%2F%2Fexample.com%2Fdashboard%2Forders%3Ftab%3Dopen&useWindowEventBus=true&"
         "totalJSHeapSize=12345678&usedJSHeapSize=9345678"
         "&jsHeapSizeLimit=4294705152&access-token=0123456789abcdef0123456789abcdef";
}

int run(const Settings& settings) {
  char scratch[] = "/tmp/sse-bench-XXXXXX";
  if (mkdtemp(scratch) == nullptr) throw system_error(errno, "cannot make a scratch folder");
  const std::string folder = scratch;
  Table table;
  std::printf("%-58s %14s %14s\n", "", "sse-serve", "reference");
  const std::size_t most =
      std::min<std::size_t>(settings.streams, 9500);  // two servers' clients share this process' descriptors
  {
    BareLoop bare(settings);
    SseServe one(settings, "sse-serve, 1 loop", 1, folder);
    Attached ours(one, most);
    Attached reference(bare, most);
    compare_fan_out(table, ours, reference, settings, "(a) single events, 1 loop", 10, 1);
    compare_fan_out(table, ours, reference, settings, "(b) bursts of 10, 1 loop", 5, 10);
  }
  {
    BareLoop bare(settings);
    SseServe two(settings, "sse-serve, 2 loops", 2, folder);
    Attached ours(two, most);
    Attached reference(bare, most);
    compare_fan_out(table, ours, reference, settings, "(a) single events, 2 loops", 10, 1);
    compare_fan_out(table, ours, reference, settings, "(b) bursts of 10, 2 loops", 5, 10);
  }
  if (!settings.nginx.empty()) {
    Nchan nchan(settings, folder);
    SseServe two(settings, "sse-serve", 2, folder);
    Attached ours(two, most);
    Attached reference(nchan, most);
    table.add(
        {"(e) memory of an idle bare stream", "bytes", ours.bytes_per_stream, reference.bytes_per_stream, "nchan"});
    compare_fan_out(table, ours, reference, settings, "(g) single events", 10, 1);
    compare_fan_out(table, ours, reference, settings, "(b) 100 broadcasts as fast as accepted", 1, 100);
  }
  {
    SseServe server(settings, "sse-serve", 2, folder);
    server.set_extra(page_parameters());
    const Attached ours(server, most);
    table.add(
        {"(e) memory of an idle stream with a page's parameters", "bytes", ours.bytes_per_stream, 1024, "the bar"});
  }
  if (!settings.output.empty()) {
    std::ofstream(settings.output) << Json{{"streams", most}, {"rounds", settings.rounds}, {"rows", table.json()}}.dump(
                                          2)
                                   << "\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::map<std::string, std::string*> texts{{"--sse-serve", &settings.sse_serve},
                                            {"--bare", &settings.bare},
                                            {"--nginx", &settings.nginx},
                                            {"--nchan", &settings.nchan},
                                            {"--output", &settings.output}};
  try {
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string name = argv[i];
      if (texts.contains(name)) {
        *texts[name] = argv[i + 1];
      } else if (name == "--streams") {
        settings.streams = std::stoul(argv[i + 1]);
      } else if (name == "--rounds") {
        settings.rounds = std::stoi(argv[i + 1]);
      } else {
        throw Error(ErrorCode::kInvalidArgument, "unknown option " + name + "; run scripts/bench");
      }
    }
    signal(SIGPIPE, SIG_IGN);
    return run(settings);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "compare: %s\n", e.what());
    return 1;
  }
}
