#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/channel_rates.h"
#include "hub/channel_review.h"
#include "hub/connection.h"
#include "hub/connection_directory.h"
#include "hub/delivery_batch.h"
#include "hub/expected_resumes.h"
#include "hub/presence_observer.h"
#include "hub/shards.h"
#include "net/event_loop.h"
#include "observe/metrics.h"

namespace sse::hub {

/// Maximum number of event names a connection may listen to.
inline constexpr std::size_t kMaxListeners = 1000;
/// Maximum total bytes of these names.
inline constexpr std::size_t kMaxListenerBytes = std::size_t{32} * 1024;

/// The streams of one service, over all event loops: opens and closes them and delivers events to them. What is known
/// about them stands in directory(). Thread safe.
///
/// Functions that return a result wait for the loops. Where that would never end, on the thread of a loop or while the
/// loops do not run, they throw Error instead: see check_may_wait().
class Hub {
 public:
  /// `loops` must not be started yet. `loops`, `ids`, `metrics` and `delegate` must outlive the hub.
  Hub(HubOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
      observe::Registry& metrics, HubDelegate& delegate);
  /// REQUIRES: the loops have stopped.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  const HubOptions& options() const { return options_; }
  /// Throws Error unless the calling thread may wait for the loops, see net::EventLoop::check_may_wait(). Functions
  /// that wait call it themselves.
  void check_may_wait() const { shards_.check_may_wait(); }
  /// Throws Error(kUnavailable) while the loops do not run. Any thread.
  void check_runs() const { shards_.check_runs(); }
  /// What is known about its connections.
  const ConnectionDirectory& directory() const { return directory_; }
  /// The clock of `ids`, which the loops use, too.
  const Clock& clock() const { return ids_.clock(); }

  /// An id for a connection to open, for callers that need it before connect().
  ConnectionId reserve_id() { return ConnectionId(ids_.next()); }
  /// Takes over the socket. The stream begins with the response head and connect-finish. Does not wait.
  ConnectionId connect(NewConnection request, Resumption resumption = {});

  /// Whether to answer the request with 204, which stops an EventSource from reconnecting (WHATWG HTML 9.2.3): true
  /// once for each stream of the client that the server has recently closed.
  bool was_closed_by_server(const NewConnection& request);
  /// Whether the client reconnects after a stream that ended at its keepaliveTime. True once for each such stream.
  bool is_renewed(const NewConnection& request);

  using Delivery = hub::Delivery;
  /// Like deliver(), without waiting for the loops. Streams get deliveries in the order in which they were started.
  /// A delivery to many streams is worked off in slices between other work of their loops; what reaches one of these
  /// streams meanwhile comes after it. Calls `done` with the result on the last loop to deliver, when all streams have
  /// taken the frames, of which those for many streams may still have to be written; `done` must be quick. The objects
  /// the deliveries refer to must stay valid until `done` is called or, when a loop has stopped, destroyed uncalled.
  void start_delivery(std::vector<Delivery> deliveries, std::function<void(DeliveryBatch::Taken)> done);
  /// Appends the frames, in order, to all matching streams. Returns for each frame and each name of its target (one for
  /// kAll) the number of streams that took it. The frames of one call leave a stream in one write.
  DeliveryBatch::Taken deliver(std::vector<Delivery> deliveries);
  /// Delivers a single frame.
  std::vector<std::uint32_t> deliver(const event::Target& target, std::string_view event,
                                     const event::FrameRef& frame) {
    return deliver(std::vector<Delivery>{{target, event, frame}}).front();
  }
  /// Requests the pending messages of all connections again, because a notification of new ones may have been lost.
  /// Does not wait.
  void refresh_pending();
  /// Answers a ReplayRequest with a page. If it has failed, the hub requests it again later. Does not wait.
  void replay(const ReplayRequest& request, ReplayPage page);

  /// Closes streams, with connect-close, because their clients have newer ones on other nodes.
  void replace(const std::vector<ConnectionId>& ids);
  /// Closes streams from the server's side, with connect-close; returns how many were open. A client that reconnects
  /// all the same is answered with 204, once: see was_closed_by_server().
  std::size_t close(const std::vector<ConnectionId>& ids);
  std::size_t close(const event::Target& target);

  /// The rules for channels have changed: streams leave channels that they may no longer be in, also those that open
  /// meanwhile by earlier rules. Waits for the loops.
  void review_channels(const std::shared_ptr<const ChannelReview>& review);

  // For requests of pages: only the user that owns the connection may use it (see owns()); for other users it does not
  // exist.

  /// Returns all names the connection listens to afterwards. Throws Error(kLimitExceeded) above kMaxListeners names or
  /// kMaxListenerBytes.
  std::optional<ListenerSet> change_listeners(ConnectionId id, const Identity& owner,
                                              const std::vector<std::string>& names, bool add);
  /// The stream joins further channels, by the rules of this version, and gets the messages that are pending for them,
  /// and what it catches up with. Returns for each whether it is in it now: it may be in kMaxChannels.
  std::optional<std::vector<Subscription>> subscribe(ConnectionId id, const Identity& owner,
                                                     const std::vector<JoinedChannel>& channels, std::uint32_t version);
  /// NewConnection::granted_channels.
  std::optional<std::vector<std::string>> granted_channels(ConnectionId id, const Identity& owner) const;
  /// It leaves channels. Returns for each whether it was in it.
  std::optional<std::vector<bool>> unsubscribe(ConnectionId id, const Identity& owner,
                                               const std::vector<ChannelName>& channels);
  /// The stream watches the presence in those of the channels that it is in: it gets a snapshot, then changes. Returns
  /// those that it may not, because too many are followed.
  std::vector<ChannelName> watch_presence(ConnectionId id, const Identity& owner,
                                          const std::vector<ChannelName>& channels);
  enum class Request { kMessage, kUpload };
  /// Counts a request of the page and returns its connection.
  std::optional<ConnectionInfo> note_request(ConnectionId id, const Identity& owner, Request kind);
  /// The client acknowledges messages it got on this stream, or on an earlier one that has ended. Returns how many of
  /// them were in flight there.
  std::optional<std::size_t> acknowledge(ConnectionId id, const Identity& owner,
                                         const std::vector<MessageId>& messages);
  /// The page disconnects. It gets connect-close: the Java library's client keeps its stream open until that event, and
  /// would treat a stream that just ends as a failure and reconnect.
  /// `note`: the reason, for the observer.
  bool disconnect(ConnectionId id, const Identity& owner, const std::string& note = "");
  /// The same for whoever knows the `clientId` of the stream, a secret if it is long. `client` is not empty.
  bool disconnect_client(ConnectionId id, std::string_view client, const std::string& note = "");

  // For the PresenceObserver; these do not wait.

  /// Reports the streams in the channel, and then changes, until unfollow_presence(). `round`: for the reports.
  void follow_presence(const std::string& channel, std::uint64_t round);
  void unfollow_presence(const std::string& channel);
  /// To the streams that watch the channel, for which frames stay in order.
  void send_presence(const std::string& channel, const PresenceFrame& frame);

  /// Ends streams without connect-close; the clients reconnect at different times within `spread`. Returns how many of
  /// the streams were open.
  std::size_t close_for_reconnect(const std::vector<ConnectionId>& ids, std::chrono::milliseconds spread);
  /// Ends all streams without connect-close, so that clients reconnect to other nodes. Does not wait; sockets() shows
  /// the progress.
  void drain();

  /// The events that went to the channel in the last minute, from this node or to it.
  double channel_rate(const std::string& channel) const { return rates_.per_minute(channel, clock().steady_now()); }
  /// Number of streams opened plus number of streams closed so far.
  std::uint64_t turnover() const;

 private:
  std::shared_ptr<DeliveryBatch> plan(std::vector<Delivery> deliveries) const;
  void start(std::shared_ptr<DeliveryBatch> batch, std::function<void(DeliveryBatch::Taken)> done);

  const HubOptions options_;
  IdGenerator& ids_;
  HubDelegate& delegate_;
  HubMetrics metrics_;
  ExpectedResumes expected_resumes_;
  Shards shards_;
  const ConnectionDirectory directory_;
  ChannelRates rates_;
};

}  // namespace sse::hub
