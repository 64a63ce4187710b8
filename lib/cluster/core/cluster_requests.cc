#include <algorithm>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/cluster.h"
#include "observe/barrier.h"
#include "observe/log.h"

// The part of Cluster that handles the commands of other nodes.
namespace sse::cluster {
namespace {

// Followed by the reason.
constexpr char kUnread = '!';
constexpr const char* kPieceRefused = "503 the node of that connection is busy; try again later";

std::string busy_sentence(const std::string& node) {
  return "node '" + node + "' is too busy or stopping, and has not handled the request; try again later";
}

std::string too_busy(const std::string& node) {
  const std::string why = busy_sentence(node) + "\n";
  return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Length: " +
         std::to_string(why.size()) + "\r\n\r\n" + why;
}

}  // namespace

// The commands that arrived together. Each type of command has one function; those that are answered together are
// collected and answered by finish().
class Cluster::Arrived {
 public:
  Arrived(Cluster& cluster, LocalNode& local) : cluster_(cluster), local_(local) {}

  // Passes the command on, or reports that it is invalid.
  void take(Bus::Incoming& incoming) {
    try {
      AnyCommand command = decode(incoming.bytes);
      std::visit([&](auto& one) { handle(std::move(one), incoming); }, command);
    } catch (const Error& e) {
      observe::log_error("refused a command of another node",
                         {{"node", node_of(incoming.origin)}, {"error", e.what()}});
      if (incoming.answer) incoming.answer("");
    } catch (...) {
      observe::note_exception("a command of another node");
      if (incoming.answer) incoming.answer("");
    }
  }

  void finish(Bus::ReplyBatch reply_batch) {
    // Events that arrive together are sent to the streams together.
    if (!events_.commands.empty()) {
      local_.deliver(std::move(events_.commands),
                     [reply_batch = std::move(reply_batch),
                      answers = std::move(events_.answers)](const std::vector<std::uint32_t>& taken) {
                       for (std::size_t i = 0; i < answers.size(); ++i) answers[i](encode_taken(taken.at(i)));
                     });
    }
    if (!clients_.commands.empty()) {
      const auto found = local_.connections_of(clients_.commands);
      for (std::size_t i = 0; i < clients_.answers.size(); ++i) clients_.answers[i](encode_ids(found.at(i)));
    }
    if (!states_.commands.empty()) {
      const std::vector<Place> found = local_.find_delivery_states(states_.commands);
      for (std::size_t i = 0; i < states_.answers.size(); ++i) states_.answers[i](encode_place(found.at(i)));
    }
  }

 private:
  template <class Command>
  struct Collected {
    std::vector<Command> commands;
    std::vector<Answer> answers;

    void add(Command&& command, Bus::Incoming& incoming) {
      commands.push_back(std::move(command));
      answers.push_back(std::move(incoming.answer));
    }
  };

  void handle(DeliverCommand&& command, Bus::Incoming& incoming) { events_.add(std::move(command), incoming); }
  void handle(ClientCommand&& command, Bus::Incoming& incoming) { clients_.add(std::move(command), incoming); }
  void handle(DeliveryStateCommand&& command, Bus::Incoming& incoming) { states_.add(std::move(command), incoming); }
  void handle(ReplaceCommand&& command, Bus::Incoming& incoming) {
    local_.replace(command);
    incoming.answer("");
  }
  void handle(PresenceCommand&& command, Bus::Incoming& incoming) {
    local_.take_presence(node_of(incoming.origin), command);
    incoming.answer("");
  }
  void handle(RequestCommand&& command, Bus::Incoming& incoming) {
    net::WorkerPool& pool = command.entry == RequestEntry::kCluster ? cluster_.cluster_requests_ : cluster_.pages_;
    Cluster::handle(
        pool, std::move(incoming),
        [local = &local_, command = std::move(command)](Answer answer) {
          local->handle_async(command, std::move(answer));
        },
        too_busy(cluster_.options_.node));
  }
  void handle(AdminCommand&& command, Bus::Incoming& incoming) {
    Cluster::handle(
        cluster_.admin_requests_, std::move(incoming),
        [local = &local_, command = std::move(command)](const Answer& answer) {
          answer(encode(local->handle_admin(command)));
        },
        encode(refusal_reply(ErrorCode::kUnavailable, busy_sentence(cluster_.options_.node))));
  }
  // In the pool of page requests: a chunk waits only as long as they do.
  void handle(BodyCommand&& command, Bus::Incoming& incoming) {
    Cluster::handle(
        cluster_.pages_, std::move(incoming),
        [local = &local_, command = std::move(command)](const Answer& answer) {
          answer(local->store_body_chunk(command));
        },
        kPieceRefused);
  }
  void handle(StoreCommand&& command, Bus::Incoming& incoming) {
    Cluster::handle(
        cluster_.store_queries_, std::move(incoming),
        [cluster = &cluster_, command = std::move(command)](const Answer& answer) {
          answer(cluster->query_store(command.bytes));
        },
        kUnread + std::string("it is too busy or stopping"));
  }

  Cluster& cluster_;
  LocalNode& local_;
  Collected<DeliverCommand> events_;
  Collected<ClientCommand> clients_;
  Collected<DeliveryStateCommand> states_;
};

void Cluster::received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch reply_batch) {
  received_.add(commands.size());
  LocalNode* const local = local_.load();
  if (local == nullptr) {
    // Other nodes have no reason to send commands before this node is registered.
    for (const Bus::Incoming& incoming : commands) incoming.answer("");
    return;
  }
  Arrived arrived(*this, *local);
  for (Bus::Incoming& incoming : commands) arrived.take(incoming);
  arrived.finish(std::move(reply_batch));
}

std::string Cluster::query_store(const std::string& bytes) {
  try {
    return store_ ? store_(bytes) : std::string();
  } catch (const Error& e) {
    observe::log_error("cannot answer another node's query of pending messages", {{"error", e.what()}});
    return kUnread + std::string(e.what());
  }
}

bool is_unread(std::string_view answer) {
  return answer.starts_with(kUnread);
}

std::string unread_reason(std::string_view answer) {
  return printable(answer.substr(std::min<std::size_t>(1, answer.size())), 300);
}

void Cluster::handle(net::WorkerPool& pool, Bus::Incoming incoming, std::function<void(Answer)> work,
                     std::string unless) {
  // Replies at the latest when the last reference to it is released.
  class SingleReply {
   public:
    SingleReply(Answer answer, std::string otherwise) : answer_(std::move(answer)), fallback_(std::move(otherwise)) {}
    SingleReply(const SingleReply&) = delete;
    SingleReply& operator=(const SingleReply&) = delete;
    ~SingleReply() { give(std::move(fallback_)); }
    void give(std::string text) {
      if (given_.exchange(true)) return;
      observe::guarded("the answer to another node", [&] { answer_(std::move(text)); });
    }

   private:
    const Answer answer_;
    std::string fallback_;
    std::atomic<bool> given_{false};
  };
  const auto once = std::make_shared<SingleReply>(std::move(incoming.answer), std::move(unless));
  pool.submit([once, todo = std::move(work)] {
    observe::guarded("a request of another node",
                     [&] { todo([once](std::string text) { once->give(std::move(text)); }); });
  });
}

}  // namespace sse::cluster
