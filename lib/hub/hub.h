#pragma once

#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/connection.h"
#include "hub/shard.h"
#include "net/event_loop.h"
#include "observe/metrics.h"

namespace sse::hub {

/// Which connections to list. Empty fields match everything.
struct ConnectionFilter {
  UserId user{};
  TenantId tenant{};
  AccessToken token{};
  ChannelName channel{};
  std::string listening{};  ///< an event name
  std::string client{};     ///< clientId
  std::string name{};       ///< part of the user's name, or id where no name is known; ASCII case does not matter
};

/// Most event names a connection may listen to.
inline constexpr std::size_t kMostListeners = 1000;
/// Most bytes of these names together.
inline constexpr std::size_t kMaxListenerBytes = std::size_t{32} * 1024;

/// Who is connected to one service, over all stream loops. Thread safe; what returns something waits for the loops and
/// must not be called from one.
///
/// A user's streams live on the loop its id hashes to, so that a send to a user wakes one loop; streams without a user
/// are spread evenly. Sends to tenants, tokens, channels or all wake every loop.
class Hub {
 public:
  /// `loops` must not be started yet, and outlive the hub; so must `ids`, `metrics` and `delegate`.
  Hub(HubOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
      observe::Registry& metrics, HubDelegate& delegate);
  /// REQUIRES: the loops have stopped.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  const HubOptions& options() const { return options_; }
  /// That of `ids`, which is also that of the loops.
  const Clock& clock() const { return ids_.clock(); }

  /// The id of a connection that is about to be, for those who must know it before.
  ConnectionId reserve_id() { return ConnectionId(ids_.next()); }
  /// Takes the socket; its stream begins with the head and connect-finish. Does not wait.
  ConnectionId connect(NewConnection request, Resumption resumption = {});

  /// Whether the client of a connection that is about to be was closed just now from the server's side, and has not
  /// been told to stay away by the way EventSource knows (204; WHATWG HTML 9.2.3): once for each stream closed.
  bool stays_away(const NewConnection& request);
  /// Whether the client comes back from a stream that was ended just now because its time was over. Once for each.
  bool is_renewed(const NewConnection& request);

  /// One frame on its way.
  struct Delivery {
    const event::Target& target;
    std::string_view event;
    event::FrameRef frame;
    MessageId position{};  ///< in the order of events, where that is kept (HubOptions::resumable)
    bool again = false;    ///< also to streams that have had the message; those that are being given pending ones come
                           ///< by it anyway
  };
  /// Deliveries on their way. wait() before what they refer to goes.
  class [[nodiscard]] Underway {
   public:
    /// As deliver() returns; nothing the second time.
    std::vector<std::vector<std::uint32_t>> wait();

   private:
    friend class Hub;
    struct Batch;
    std::shared_ptr<Batch> batch_;
    std::shared_ptr<std::latch> latch_;
  };
  /// As deliver(), without waiting for the loops: streams get what is started first before what is started next.
  Underway start_delivery(std::vector<Delivery> deliveries);
  /// As start_delivery(): `done` gets what deliver() would return, on the last of the loops to take it, when that has
  /// written to its streams; it must be quick. What the deliveries refer to stays until it is called or, when a loop
  /// has stopped, destroyed uncalled.
  void start_delivery(std::vector<Delivery> deliveries,
                      std::function<void(std::vector<std::vector<std::uint32_t>>)> done);
  /// Puts the frames, in their order, into all matching streams. Returns for each of them and each name of its target
  /// (one for kAll) how many took it. What one call brings a stream leaves in one write.
  std::vector<std::vector<std::uint32_t>> deliver(std::vector<Delivery> deliveries) {
    return start_delivery(std::move(deliveries)).wait();
  }
  /// A single one.
  std::vector<std::uint32_t> deliver(const event::Target& target, std::string_view event,
                                     const event::FrameRef& frame) {
    return deliver(std::vector<Delivery>{{target, event, frame}}).front();
  }
  /// Asks for the pending messages of all connections again: some may have come that nobody told of. Does not wait.
  void look_again();
  /// Where pending messages are now: fills in `state` and `connection`.
  void locate(std::vector<Whereabouts>& messages);
  using Taken = std::function<void(const event::Target& target, const std::vector<std::uint32_t>& taken)>;
  /// As deliver() of a single one, without waiting: `done` runs on the last of the loops to take it, and must be quick.
  /// It is destroyed uncalled when a loop has stopped.
  void deliver_soon(event::Target target, std::string event, event::FrameRef frame, Taken done);
  /// Answers a ReplayRequest with a page. `through`: the largest id looked at. Does not wait.
  /// `failed`: the store could not be read, or not all of it: it is asked again for the connection.
  void replay(const ReplayRequest& request, std::vector<ReplayFrame> page, MessageId through, bool last,
              bool failed = false);

  /// Runs `use(shard, number)` on the loop of every shard; with a user only where that one's streams live. Waits until
  /// all are done. Keep it short: streams of that loop wait. See hub/survey.h for what is asked this way.
  void visit(const UserId& user, const std::function<void(Shard&, std::size_t)>& use);
  std::size_t shards() const { return shards_.size(); }
  /// Snapshots, in the order of `ids`; those gone since are left out.
  std::vector<ConnectionInfo> describe(const std::vector<ConnectionId>& ids);
  std::optional<ConnectionInfo> describe(ConnectionId id);

  /// The streams that ended last, newest first: of each loop a bounded number.
  std::vector<ClosedConnection> recently_closed();

  /// The users, tokens, tenants or channels that have a connection, sorted.
  std::vector<std::string> names(event::TargetKind kind);

  /// Of each client the streams that are open.
  std::vector<std::vector<ConnectionId>> connections_of(const std::vector<ClientKey>& clients);
  /// Closes streams whose client has younger ones elsewhere, with connect-close.
  void replace(const std::vector<ConnectionId>& ids);
  /// Closes from the server's side, with connect-close; returns how many were open. A client that comes back all the
  /// same is to be told to stay away, once: see stays_away().
  std::size_t close(const std::vector<ConnectionId>& ids);
  std::size_t close(const event::Target& target);

  // For what pages send: only the user who owns the connection, which is one of a tenant, has it (see owns()); for
  // others it does not exist.

  /// Returns all names listened to afterwards. Throws Error(kLimitExceeded) for more than kMostListeners, or
  /// kMaxListenerBytes of them.
  std::optional<ListenerSet> change_listeners(ConnectionId id, const Identity& owner,
                                              const std::vector<std::string>& names, bool add);
  enum class Request { kMessage, kUpload };
  /// Counts a request of the page and returns its connection.
  std::optional<ConnectionInfo> note_request(ConnectionId id, const Identity& owner, Request kind);
  /// What the client says it has handled, on this stream of its or on an earlier one that has ended; returns how many
  /// of the messages were in flight there.
  std::optional<std::size_t> acknowledge(ConnectionId id, const Identity& owner,
                                         const std::vector<MessageId>& messages);
  /// The page said goodbye. It gets connect-close: the Java library's client keeps its stream open until then, and
  /// would take a stream that just ends for a failure and come back.
  /// `note`: why, for the observer.
  bool disconnect(ConnectionId id, const Identity& owner, const std::string& note = "");

  /// Ends streams without connect-close, and has each client come back at a moment of its own within `spread`.
  /// Returns how many of them were open.
  std::size_t send_away(const std::vector<ConnectionId>& ids, std::chrono::milliseconds spread);
  /// Ends all streams without connect-close, so that clients go elsewhere. Does not wait; sockets() tells.
  void drain();

  std::size_t connections() const;
  std::size_t users() const;
  std::size_t sockets() const;
  /// Bytes all streams owe.
  std::uint64_t backlog_bytes() const;
  /// Streams opened and streams closed so far, added up.
  std::uint64_t turnover() const;

 private:
  std::size_t shard_of(const UserId& user) const;
  std::shared_ptr<Underway::Batch> plan(std::vector<Delivery> deliveries) const;
  /// Runs `use(shard, number)` on the loops of the shards numbered, waits until all are done.
  template <class Use>
  void on_shards(const std::vector<std::size_t>& numbers, Use use);
  template <class Use>
  void on_all_shards(Use use);
  template <class Use>
  void on_owned(ConnectionId id, const Identity& owner, Use use);

  const HubOptions options_;
  IdGenerator& ids_;
  HubDelegate& delegate_;
  HubMetrics metrics_;
  ExpectedReturns returns_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::size_t> all_shards_;
};

}  // namespace sse::hub
