#include "cluster/http_bus.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/slot.h"
#include "base/text.h"
#include "cluster/mesh_limits.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kDoorThreads = 64;
constexpr std::chrono::seconds kDoorIdle{10};
// For the others to take the goodbye of a node that stops.
constexpr std::chrono::milliseconds kFarewellTime{1000};
constexpr std::chrono::milliseconds kMostHold = std::chrono::minutes(10);
// For streams to take an event, which is at once or never soon.
constexpr std::chrono::seconds kMostSettling{1};
// Posts that a thread of the door waits with.
constexpr std::size_t kMaxHolding = kDoorThreads / 4;
constexpr ByteCount kMostBody{kMaxMeshBody};
// Posts are batches under load; larger ones are rare.
constexpr ByteCount kMaxInMemory = mebibytes(1);
constexpr const char* kOtherSecret = "another secret is expected here";

std::string node_in(const std::string& name) {
  return name.substr(0, name.rfind('~'));
}

}  // namespace

// The answers of one post: what comes before it is closed leaves with the response, what comes later with a post.
struct HttpBus::Batch {
  MeshMessage response;  // but for the answers
  std::size_t count = 0;
  Mutex mutex;
  CondVar changed;
  bool open GUARDED_BY(mutex) = true;
  bool settled GUARDED_BY(mutex) = false;  // what is answered together has been
  std::vector<MeshMessage::Answer> answers GUARDED_BY(mutex);
  std::function<void()> when_all GUARDED_BY(mutex);  // instead of somebody who waits

  /// The response with the answers there are; those to come leave by themselves. Nothing the second time.
  std::optional<MeshMessage> take() EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    if (!open) return std::nullopt;
    open = false;
    response.answers = std::move(answers);
    return std::move(response);
  }
};

// The way of those that come later.
class HttpBus::Outbox {
 public:
  explicit Outbox(HttpBus* bus) : bus_(bus) {}

  void close() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    bus_ = nullptr;
  }
  void later(const std::string& address, std::uint64_t number, std::string bytes) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (bus_ != nullptr) bus_->answer_later(address, number, std::move(bytes));
  }

 private:
  Mutex mutex_;
  HttpBus* bus_ GUARDED_BY(mutex_);
};

struct HttpBus::Door {
  Door(HttpBus& bus, net::Listener& at, observe::Registry& metrics)
      : loop("sse-mesh", bus.clock_),
        workers("sse-mesh-work", 1, kDoorThreads, 10'000, kDoorIdle, bus.clock_),
        spoolers("sse-mesh-spool", 0, 1, 10'000, kDoorIdle, bus.clock_),
        memory(std::max(bus.options_.max_body_memory, kMostBody), "--max-body-memory") {
    net::FrontOptions front_options;
    front_options.name = "cluster";
    front_options.max_body = kMostBody;
    front_options.max_connections = bus.options_.max_connections;
    front_options.max_connections_option = "--cluster-max-connections";
    front_options.memory = &memory;
    front_options.spoolers = &spoolers;
    front_options.spool_folder = bus.options_.spool_folder;
    front_options.plan = [&bus](const net::RequestHead& head, const net::Peer&) { return decide(bus, head); };
    app.set_payload_max_length(kMostBody.count());
    app.Post(kMeshPath, [&bus](const httplib::Request& request, httplib::Response& response) {
      if (!shows_secret(bus, request.get_header_value("Authorization"))) {
        response.status = 401;
        response.set_content(kOtherSecret, "text/plain");
        return;
      }
      try {
        response.set_content(encode(bus.handle(decode_mesh_message(request.body))), "application/octet-stream");
      } catch (const Error& e) {
        response.status = http_status(e.code());
        response.set_content(e.what(), "text/plain");
      }
    });
    app.Get(kWhoPath, [&bus](const httplib::Request&, httplib::Response& response) {
      response.set_content(event::dump_json(bus.who()), "application/json");
    });
    front =
        std::make_unique<net::HttpFront>(loop, at, app, workers, front_options, metrics, [] { return std::size_t{0}; });
    front->set_quick([&bus](const net::RequestHead& head, std::string_view body, net::HttpFront::Responder& responder) {
      return answer_later(bus, head, body, responder);
    });
  }
  void start() {
    loop.start();
    front->start();
  }
  void stop() {
    front->drain();
    spoolers.stop();
    workers.stop();
    loop.stop();
  }

  // A post of a program that only asks, and waits for its answers: no thread waits with it. Its first line says so.
  static bool answer_later(HttpBus& bus, const net::RequestHead& head, std::string_view body,
                           net::HttpFront::Responder& responder) {
    if (head.method != "POST" || head.target != kMeshPath ||
        !shows_secret(bus, net::header_value(head, "Authorization")))
      return false;
    if (body.substr(0, body.find('\n')).find("\"hold\":") == std::string_view::npos) return false;
    // A pool that is full, or has stopped, lets go of the responder, which then says 503.
    bus.door_->workers.submit(
        [&bus, post = std::string(body), answer = std::make_shared<net::HttpFront::Responder>(std::move(responder))] {
          try {
            bus.handle_soon(decode_mesh_message(post), [answer](const MeshMessage& response) {
              answer->answer(200, "application/octet-stream", encode(response));
            });
          } catch (const Error& e) {
            answer->answer(http_status(e.code()), "text/plain", e.what());
          }
        });
    return true;
  }

  static bool shows_secret(const HttpBus& bus, std::string_view authorization) {
    return !bus.options_.secret.empty() && constant_time_equal(authorization, "Bearer " + bus.options_.secret);
  }

  // Nothing of a post is read before it has shown the secret.
  static net::RequestPlan decide(const HttpBus& bus, const net::RequestHead& head) {
    net::RequestPlan plan{.max_body = kMostBody, .max_in_memory = kMaxInMemory};
    if (head.framing != net::BodyFraming::kChunked && head.content_length == 0) return plan;
    if (head.target == kWhoPath) {
      plan.refusal = net::HeadRefusal{405, "this path takes GET", "Allow: GET, HEAD\r\n"};
    } else if (head.target != kMeshPath) {
      plan.refusal = net::HeadRefusal{404, "nothing but other nodes' posts is taken here"};
    } else if (head.method != "POST") {
      plan.refusal = net::HeadRefusal{405, "this path takes POST", "Allow: POST\r\n"};
    } else if (!shows_secret(bus, net::header_value(head, "Authorization"))) {
      plan.refusal = net::HeadRefusal{401, kOtherSecret};
    }
    return plan;
  }

  net::HttplibApp app;
  net::EventLoop loop;
  net::WorkerPool workers;
  net::WorkerPool spoolers;
  net::ByteBudget memory;
  std::unique_ptr<net::HttpFront> front;
};

HttpBus::HttpBus(Options options, observe::Registry& metrics)
    : options_(std::move(options)),
      clock_(*options_.clock),
      gathering_(clock_),
      outbox_(std::make_shared<Outbox>(this)),
      peer_topics_(options_.lease) {
  if (options_.listen.empty()) return;
  listener_ = std::make_unique<net::Listener>(net::ListenAddress::parse(options_.listen), "--cluster-listen");
  address_ = options_.advertise.empty() ? listener_->address().str() : options_.advertise;
  door_ = std::make_unique<Door>(*this, *listener_, metrics);
}

HttpBus::~HttpBus() {
  stop();
}

void HttpBus::start(Receiver& receiver) {
  receiver_ = &receiver;
  started_ = true;
  if (door_) door_->start();
}

void HttpBus::stop() {
  if (!std::exchange(started_, false)) return;
  std::vector<std::shared_ptr<PeerLink>> links;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [address, link] : links_) {
      (link->state == PeerLink::State::kUp && door_ ? link->farewell : link->ending) = true;
      if (link->ending) link->interrupt();
      link->wake.notify_all();
      links.push_back(link);
    }
    links.insert(links.end(), gone_.begin(), gone_.end());
    // A node that is stopping as well, or frozen, may not answer.
    const SteadyTime deadline = clock_.steady_now() + std::min(options_.link.answer_timeout, kFarewellTime);
    const auto finished = [](const std::shared_ptr<PeerLink>& link) { return link->finished; };
    while (!std::ranges::all_of(links, finished) && changed_.wait_until(mutex_, deadline, clock_)) {
    }
    for (const auto& link : links) {
      link->ending = true;
      link->interrupt();
    }
  }
  for (const auto& link : links) link->join();
  if (door_) door_->stop();
  outbox_->close();
  TopicBarriers through;
  {
    const MutexLock lock(mutex_);
    for (const auto& link : links) {
      link->told.lost(through);
      lose(link->address, link->commands);
    }
    links_.clear();
    gone_.clear();
  }
  gathering_.stop();
  for (const auto& barrier : through) barrier->standing(false);
}

event::Json HttpBus::who() const {
  const MutexLock lock(mutex_);
  event::Json who = hello_.is_object() ? hello_ : event::Json::object();
  who.erase("facts");
  return who;
}

// Notes who posted, and what it wants from now on.
bool HttpBus::note_sender(const MeshMessage& post) {
  if (post.address.empty() || post.from == options_.node) return false;
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  if (stopping_) return false;
  PeerLink& link = link_to({post.address, post.secret, ""});
  link.hello = post.hello;
  if (post.bye) {
    peer_topics_.forget(post.address);
    link.departed = true;
    link.posted_since = false;
    return false;
  }
  link.departed = false;
  // It lives: no need to wait with the next attempt.
  if (link.state == PeerLink::State::kDown) {
    link.due = std::min(link.due, now + options_.link.backoff_least);
    link.wake.notify_all();
  }
  return !peer_topics_.read(post.address, post, now);
}

std::shared_ptr<HttpBus::Batch> HttpBus::begin(MeshMessage post) {
  if (node_in(post.from) == node_in(options_.node) && post.from != options_.node) {
    throw Error(ErrorCode::kConflict, "a node called '" + printable(node_in(post.from)) +
                                          "' is here already; give each a --server-id of its own");
  }
  const auto batch = std::make_shared<Batch>();
  MeshMessage& response = batch->response;
  response.from = options_.node;
  response.resync = note_sender(post);
  std::vector<Incoming> mine;
  {
    const MutexLock lock(mutex_);
    response.hello = hello_;
    response.bye = stopping_;
    for (const MeshMessage::Answer& answer : post.answers)
      gathering_.answered_by(post.address, answer.number, post.from, answer.bytes);
    for (MeshMessage::Command& command : post.commands) {
      if (!topics_.contains(command.topic)) {
        response.excused.push_back(command.number);
        continue;
      }
      mine.push_back({post.from, std::move(command.bytes),
                      [batch, outbox = outbox_, address = post.address, number = command.number](std::string bytes) {
                        std::function<void()> last;
                        {
                          const MutexLock in_time(batch->mutex);
                          if (batch->open) {
                            batch->answers.push_back({number, std::move(bytes)});
                            batch->changed.notify_all();
                            if (batch->answers.size() == batch->count) last = std::exchange(batch->when_all, nullptr);
                            if (!last) return;
                          }
                        }
                        if (last) {
                          last();
                        } else {
                          outbox->later(address, number, std::move(bytes));
                        }
                      }});
    }
  }
  gathering_.run_ready();
  batch->count = mine.size();
  if (batch->count != 0) {
    Together together(nullptr, [batch](std::nullptr_t) {
      const MutexLock lock(batch->mutex);
      batch->settled = true;
      batch->changed.notify_all();
    });
    receiver_.load()->received(std::move(mine), std::move(together));
  }
  return batch;
}

MeshMessage HttpBus::handle(MeshMessage post) {
  const std::chrono::milliseconds hold = std::min<std::chrono::milliseconds>(post.hold, kMostHold);
  // Only of large posts, which have been on disk.
  std::optional<Slot> slot;
  if (hold.count() > 0 && !slot.emplace(holding_, kMaxHolding))
    throw Error(ErrorCode::kUnavailable, "too many large requests wait here already; try again later");
  const auto batch = begin(std::move(post));
  {
    const SteadyTime now = clock_.steady_now();
    const MutexLock lock(batch->mutex);
    while (batch->count != 0 && !batch->settled &&
           batch->changed.wait_until(batch->mutex, now + kMostSettling, clock_)) {
    }
    while (batch->answers.size() < batch->count && batch->changed.wait_until(batch->mutex, now + hold, clock_)) {
    }
  }
  return *batch->take();
}

void HttpBus::handle_soon(MeshMessage post, const std::function<void(const MeshMessage&)>& done) {
  const std::chrono::milliseconds hold = std::min<std::chrono::milliseconds>(post.hold, kMostHold);
  const auto batch = begin(std::move(post));
  // Whoever calls it has the batch.
  const auto give = [its_own = batch.get(), done] {
    if (auto response = its_own->take()) done(*response);
  };
  bool all = false;
  {
    const MutexLock lock(batch->mutex);
    all = batch->answers.size() == batch->count;
    if (!all) batch->when_all = give;
  }
  if (all) {
    give();
    return;
  }
  door_->loop.post([this, weak = std::weak_ptr(batch), hold] {
    door_->loop.run_after(hold, [weak] {
      const auto late = weak.lock();
      if (!late) return;
      std::function<void()> over;
      {
        const MutexLock lock(late->mutex);
        over = std::exchange(late->when_all, nullptr);
      }
      if (over) over();
    });
  });
}

}  // namespace sse::cluster
