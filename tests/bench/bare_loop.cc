// The reference for fan-out: accepts streams, responds to each with a head, and on command sends events with one plain
// send() per stream and event. No server can do less, so its cost is the cost of the kernel.
//
//   bare_loop PORT        a line "!EVENTS SIZE\n" on a control connection sends EVENTS events of SIZE bytes
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr char kHead[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

long long monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void send_all(const std::vector<int>& streams, int events, int size, long long& sequence) {
  std::string event;
  for (int e = 0; e < events; ++e) {
    event = "id:" + std::to_string(sequence) + "\nevent:bench\ndata:t=" + std::to_string(monotonic_ns()) +
            " k=0 s=" + std::to_string(sequence) + " ";
    ++sequence;
    const std::size_t data = event.find("data:") + 5;
    if (event.size() - data < static_cast<std::size_t>(size))
      event.append(static_cast<std::size_t>(size) - (event.size() - data), 'x');
    event += "\n\n";
    for (const int stream : streams) {
      if (::send(stream, event.data(), event.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(event.size()))
        std::perror("send");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int port = argc > 1 ? std::atoi(argv[1]) : 0;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  const int buffer = 128 * 1024;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<unsigned short>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&name), size) != 0 || ::listen(listener, 4096) != 0) {
    std::perror("bare_loop: cannot listen");
    return 1;
  }
  getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size);
  std::printf("http://127.0.0.1:%d\n", ntohs(name.sin_port));
  std::fflush(stdout);

  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::vector<int> streams;
  long long sequence = 0;
  std::vector<epoll_event> ready(512);
  for (;;) {
    const int n = epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = ready[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        for (int stream = ::accept(listener, nullptr, nullptr); stream >= 0;
             stream = ::accept(listener, nullptr, nullptr)) {
          event.data.fd = stream;
          epoll_ctl(epoll, EPOLL_CTL_ADD, stream, &event);
        }
        continue;
      }
      char request[4096];
      const ssize_t got = ::recv(fd, request, sizeof request - 1, 0);
      if (got <= 0) {
        std::erase(streams, fd);
        ::close(fd);
        continue;
      }
      request[got] = '\0';
      if (request[0] == '!') {
        int events = 0;
        int bytes = 0;
        if (std::sscanf(request, "!%d %d", &events, &bytes) == 2) send_all(streams, events, bytes, sequence);
        ::send(fd, "ok\n", 3, MSG_NOSIGNAL);
      } else {
        ::send(fd, kHead, sizeof kHead - 1, MSG_NOSIGNAL);
        streams.push_back(fd);
      }
    }
  }
}
