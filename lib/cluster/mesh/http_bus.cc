#include "cluster/mesh/http_bus.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/slot.h"
#include "base/text.h"
#include "cluster/core/cluster.h"
#include "cluster/core/wire_version.h"
#include "cluster/mesh/mesh_server.h"
#include "cluster/mesh/mesh_tls.h"

namespace sse::cluster {
namespace {

// For other nodes to receive the leave notice of a stopping node.
constexpr std::chrono::milliseconds kCloseGrace{1000};
constexpr std::chrono::milliseconds kMaxReplyHold = std::chrono::minutes(10);
// For streams to take an event, which happens immediately or not soon.
constexpr std::chrono::seconds kMaxEventWait{1};
// Maximum number of MeshServer threads that wait with a post.
constexpr std::size_t kMaxHolding = kMaxMeshThreads / 4;

}  // namespace

// The replies to one post: those ready before it is closed leave with the response, later ones in a post.
struct HttpBus::Batch {
  MeshMessage response;  // without the replies
  std::size_t count = 0;
  Mutex mutex;
  CondVar changed;
  bool open GUARDED_BY(mutex) = true;
  bool settled GUARDED_BY(mutex) = false;  // replies that were batched are ready
  std::vector<MeshMessage::Answer> answers GUARDED_BY(mutex);
  std::function<void()> when_all GUARDED_BY(mutex);  // for handle_async(): called when all replies are ready

  /// Returns the response with the replies so far; later ones are posted separately. Returns nullopt the second time.
  std::optional<MeshMessage> take() EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    if (!open) return std::nullopt;
    open = false;
    response.answers = std::move(answers);
    return std::move(response);
  }
};

// Posts late replies.
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

HttpBus::HttpBus(Options options, observe::Registry& metrics)
    : options_(std::move(options)),
      clock_(*options_.clock),
      tracker_(clock_),
      outbox_(std::make_shared<Outbox>(this)),
      peer_subscriptions_(options_.lease) {
  if (options_.listen.empty()) return;
  listener_ = std::make_unique<net::Listener>(net::ListenAddress::parse(options_.listen), "--cluster-listen");
  address_ = options_.advertise.empty() ? listener_->address().str() : options_.advertise;
  if (tls()) tls()->require_own_name(net::ListenAddress::parse(address_).host);
  mesh_server_ = std::make_unique<MeshServer>(*this, *listener_, metrics);
}

HttpBus::~HttpBus() {
  stop();
}

void HttpBus::start(Receiver& receiver) {
  receiver_ = &receiver;
  started_ = true;
  if (mesh_server_) mesh_server_->start();
}

void HttpBus::stop() {
  if (!std::exchange(started_, false)) return;
  std::vector<std::shared_ptr<PeerLink>> links;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [address, link] : links_) {
      (link->state == PeerLink::State::kUp && mesh_server_ ? link->leave_notice : link->ending) = true;
      if (link->ending) link->interrupt();
      link->wake.notify_all();
      links.push_back(link);
    }
    links.insert(links.end(), gone_.begin(), gone_.end());
    // A node that is stopping as well, or frozen, may not reply.
    const SteadyTime deadline = clock_.steady_now() + std::min(options_.link.answer_timeout, kCloseGrace);
    const auto finished = [](const std::shared_ptr<PeerLink>& link) { return link->finished; };
    while (!std::ranges::all_of(links, finished) && changed_.wait_until(mutex_, deadline, clock_)) {
    }
    for (const auto& link : links) {
      link->ending = true;
      link->interrupt();
    }
  }
  for (const auto& link : links) link->join();
  if (mesh_server_) mesh_server_->stop();
  outbox_->close();
  TopicBarriers completed;
  {
    const MutexLock lock(mutex_);
    for (const auto& link : links) {
      link->announcer.lost(completed);
      lose(link->address, link->commands);
    }
    links_.clear();
    gone_.clear();
  }
  tracker_.stop();
  for (const auto& barrier : completed) barrier->on_subscribed(false);
}

event::Json HttpBus::node_info() const {
  const MutexLock lock(mutex_);
  event::Json node_info = hello_.is_object() ? hello_ : event::Json::object();
  node_info.erase("facts");
  node_info["wire"] = kWireVersion;
  return node_info;
}

MeshMessage HttpBus::decode_post(std::string_view bytes) {
  try {
    return decode_mesh_message(bytes);
  } catch (const WireRefusal& refusal) {
    if (Bus::Receiver* receiver = receiver_.load()) receiver->refused(refusal.node(), refusal.version());
    throw;
  }
}

bool HttpBus::note_sender(const MeshMessage& post) {
  if (post.address.empty() || post.from == options_.node) return false;
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  if (stopping_) return false;
  PeerLink& link = link_to({post.address, post.secret, ""});
  link.hello = post.hello;
  if (post.stopping) {
    peer_subscriptions_.forget(post.address);
    link.departed = true;
    link.posted_since = false;
    return false;
  }
  link.departed = false;
  // The peer is alive: retry soon.
  if (link.state == PeerLink::State::kDown) {
    link.due = std::min(link.due, now + options_.link.backoff_least);
    link.wake.notify_all();
  }
  return !peer_subscriptions_.read(post.address, post, now);
}

std::shared_ptr<HttpBus::Batch> HttpBus::begin(MeshMessage post) {
  if (node_of(post.from) == node_of(options_.node) && post.from != options_.node) {
    throw Error(ErrorCode::kConflict, "this node has the id '" + printable(node_of(post.from)) +
                                          "', too; give each node its own --server-id");
  }
  const auto batch = std::make_shared<Batch>();
  MeshMessage& response = batch->response;
  response.from = options_.node;
  response.resync = note_sender(post);
  std::vector<Incoming> mine;
  {
    const MutexLock lock(mutex_);
    response.hello = hello_;
    response.stopping = stopping_;
    for (const MeshMessage::Answer& answer : post.answers)
      tracker_.answered_by(post.address, answer.number, post.from, answer.bytes);
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
  tracker_.run_ready();
  batch->count = mine.size();
  if (batch->count != 0) {
    ReplyBatch reply_batch(nullptr, [batch](std::nullptr_t) {
      const MutexLock lock(batch->mutex);
      batch->settled = true;
      batch->changed.notify_all();
    });
    receiver_.load()->received(std::move(mine), std::move(reply_batch));
  }
  return batch;
}

MeshMessage HttpBus::handle(MeshMessage post) {
  const std::chrono::milliseconds hold = std::min<std::chrono::milliseconds>(post.hold, kMaxReplyHold);
  // Only for large posts, which were buffered on disk.
  std::optional<Slot> slot;
  if (hold.count() > 0 && !slot.emplace(holding_, kMaxHolding))
    throw Error(ErrorCode::kUnavailable, "too many large requests are waiting here; try again later");
  const auto batch = begin(std::move(post));
  {
    const SteadyTime now = clock_.steady_now();
    const MutexLock lock(batch->mutex);
    while (batch->count != 0 && !batch->settled &&
           batch->changed.wait_until(batch->mutex, now + kMaxEventWait, clock_)) {
    }
    while (batch->answers.size() < batch->count && batch->changed.wait_until(batch->mutex, now + hold, clock_)) {
    }
  }
  return *batch->take();
}

void HttpBus::handle_async(MeshMessage post, const std::function<void(const MeshMessage&)>& done) {
  const std::chrono::milliseconds hold = std::min<std::chrono::milliseconds>(post.hold, kMaxReplyHold);
  const auto batch = begin(std::move(post));
  // The batch is alive whenever this is called.
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
  mesh_server_->loop.post([this, weak = std::weak_ptr(batch), hold] {
    mesh_server_->loop.run_after(hold, [weak] {
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
