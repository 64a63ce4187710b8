#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sse-server/authenticator.h"
#include "sse-server/connection.h"
#include "sse-server/delivery_report.h"
#include "sse-server/error.h"
#include "sse-server/ids.h"
#include "sse-server/units.h"

namespace sse {

/// A channel that a page wants to join.
struct RequestedChannel {
  ChannelName name;                             ///< as the page sent it
  ChannelRight right = ChannelRight::kRefused;  ///< by the rules and the user's credentials; may be replaced
};

/// A page's request for a stream, which the program may accept, refuse or complete.
struct ConnectRequest {
  const ServiceName& service;                 ///< the service that the page wants to connect to
  ConnectionId id;                            ///< of the stream, if it is accepted
  const Identity& identity;                   ///< from the authenticator
  const ClientDetails& client;                ///< parameters, address and headers of the request
  const std::vector<std::string>& listeners;  ///< the event names for which the page has a handler
  /// Maximum lifetime of the stream; 0: no limit. May be replaced; the stream still ends with its credentials.
  std::chrono::milliseconds& keepalive;
  std::string& profile;  ///< JSON text of the user's profile; may be replaced
  /// The first channel that the page wants to join; empty: none. Another name replaces it, and needs no right.
  std::string& channel;
  std::vector<std::pair<std::string, std::string>>& attributes;  ///< further connection parameters; may be extended
  /// The page only asks whether it would get a stream (HEAD): none is opened, and no disconnect follows.
  bool probe = false;
  /// The channels that the page wants to join, for the program to allow or refuse: each by ChannelRight::kAllowed or
  /// kRefused. A refused channel does not end the stream.
  std::vector<RequestedChannel> channels{};
  /// Channels that the stream joins as well, without a right: for the program to add. A stream is in at most 100.
  std::vector<ChannelName> join{};
  const PageRequest* request = nullptr;  ///< the request itself, for its headers; never null in a callback
};

/// A page asks for one of the lists that ServerOptions::enable_get_json opens. Valid during the call only.
struct QueryRequest {
  const ServiceName& service;  ///< the service that the page asks
  const User& user;            ///< who asks
  const std::string& list;     ///< `users`, `connections` or `repositoryMessages`
};

/// A page's request for further channels of its open stream, each of which the program may allow or refuse by
/// ChannelRight::kAllowed or kRefused.
struct SubscribeRequest {
  const ServiceName& service;               ///< the service of the page's connection
  const ConnectionInfo& connection;         ///< the page's connection
  std::vector<RequestedChannel>& channels;  ///< with the right by the rules and the user's credentials
};

/// An event that a page wants to publish to a channel, `sse.publish('room.1', 'say', {…})`, where a rule leaves that to
/// the program. Valid during the call only.
struct PublishRequest {
  const ServiceName& service;        ///< the service of the page's connection
  const ConnectionInfo& connection;  ///< the page's connection
  const ChannelName& channel;        ///< the channel
  const std::string& event;          ///< name of the event
  const std::string& json;           ///< what the page publishes, as JSON text
  std::string traceparent{};         ///< of the page's request, W3C Trace Context; empty: none that is valid
  std::string tracestate{};          ///< that belongs to it
};

/// A message of a page: `sse.send('hello', {…})`.
struct MessageRequest {
  const ServiceName& service;        ///< the service of the page's connection
  const ConnectionInfo& connection;  ///< the page's connection
  const std::string& path;           ///< `hello` of `message/hello.do`
  const std::string& json;           ///< the request's body and query, merged, as JSON text
  std::string traceparent{};         ///< as PublishRequest::traceparent
  std::string tracestate{};          ///< that belongs to it
};

/// One file of an upload, in a temporary file that is deleted after the callback returns; the program may move it away.
struct UploadedFile {
  std::string field;         ///< the name of the form's field
  std::string filename;      ///< as the page sent it; never use it as a path
  std::string content_type;  ///< as the page sent it
  ByteCount size;            ///< of the file
  std::string path;          ///< of the temporary file
};

/// An upload of a page: `sse.upload('photo', form)`.
struct UploadRequest {
  const ServiceName& service;                        ///< the service of the page's connection
  const ConnectionInfo& connection;                  ///< the page's connection
  const std::string& path;                           ///< `photo` of `upload/photo.do`
  const std::map<std::string, std::string>& fields;  ///< form fields other than files: names and texts
  const std::vector<UploadedFile>& files;            ///< the files, in the order of the form
};

/// The answer to a message or an upload. The page's promise resolves with `json`, or rejects with `error`.
struct Answer {
  int status = 200;           ///< 400 and above: an error
  std::string json = "null";  ///< JSON text; anything else is answered with 500 and logged
  std::string error{};        ///< sentence for the user, with an error status
  /// Further headers of the response, such as `Set-Cookie`: names and values. One that frames the message
  /// (`Content-Length`, `Connection`, …) or that HTTP does not allow is answered with 500 and logged.
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// A stream has opened. Valid during the call only, like all arguments of callbacks.
struct ConnectedEvent {
  const ServiceName& service;        ///< the service of the connection
  const ConnectionInfo& connection;  ///< the connection, as it was then
  WallTime time;                     ///< when it opened
};

/// A stream has ended.
struct DisconnectedEvent {
  const ServiceName& service;        ///< the service of the connection
  const ConnectionInfo& connection;  ///< the connection, as it was then
  WallTime time;                     ///< when it ended
  const std::string& reason;         ///< `client-closed`, `disconnect`, `slow-consumer`, `shutdown`, …
  const std::string& note;           ///< the reason given by the page; empty: none
};

/// A page has added handlers for events, or removed them.
struct ListeningEvent {
  const ServiceName& service;             ///< the service of the connection
  const ConnectionInfo& connection;       ///< the connection, as it was then
  WallTime time;                          ///< when it happened
  const std::vector<std::string>& names;  ///< the event names
  bool added;                             ///< false: the page listens to them no longer
};

/// A channel has its first stream, or has been without one for ServerOptions::presence_grace. In a cluster each node
/// tells of its own streams.
struct ChannelEvent {
  const ServiceName& service;  ///< the service of the streams
  const ChannelName& channel;  ///< its name
  WallTime time;               ///< when it happened
};

/// The functions with which a C++ program handles its pages. Each may be empty.
///
/// Threads: `authenticate`, `connect`, `subscribe`, `publish`, `may_query`, `message` and `upload` run on worker
/// threads, several at once, and may block. `connected`, `disconnected`, `listening_changed`, `channel_occupied`,
/// `channel_vacated` and `settled` run one at a time, in the order of the events, on a separate thread: one that blocks
/// delays only the next ones. When 10,000 are queued, new ones are dropped, counted
/// (`sse_callbacks_dropped_total`) and logged. None runs on a loop thread, so all may use the server (send, query,
/// close); none may destroy or stop it.
///
/// Exceptions: an Error from `connect`, `subscribe`, `publish`, `message` or `upload` becomes the page's answer (a
/// Refusal with its own status), any other exception a 500. Exceptions from the other callbacks are logged.
struct Callbacks {
  /// Authenticates the sender of a request; nullopt: 401. Empty: the demo authenticator, which accepts every user.
  std::function<std::optional<User>(const PageRequest&)> authenticate{};
  /// Returns when the page may have its stream; throws a Refusal otherwise. May set the profile, the channels
  /// and the attributes.
  std::function<void(ConnectRequest&)> connect{};
  /// Decides about further channels of an open stream; a Refusal refuses all of them. Empty: those that the rules leave
  /// to the application are refused.
  std::function<void(SubscribeRequest&)> subscribe{};
  /// Returns when the page may publish the event; throws a Refusal otherwise. Called where a rule of
  /// ServerOptions::publish_rules leaves it to the application, which needs this callback.
  std::function<void(const PublishRequest&)> publish{};
  /// Whether a user may read a list of users, connections or messages; false: 403. Empty: every user may, where
  /// ServerOptions::enable_get_json opens them.
  std::function<bool(const QueryRequest&)> may_query{};
  /// Answers `message/….do`. Empty: the page gets 404.
  std::function<Answer(const MessageRequest&)> message{};
  /// Answers `upload/….do`. Empty: the page gets 404.
  std::function<Answer(const UploadRequest&)> upload{};
  /// A stream has opened.
  std::function<void(const ConnectedEvent&)> connected{};
  /// A stream has ended.
  std::function<void(const DisconnectedEvent&)> disconnected{};
  /// A page listens to other events than before.
  std::function<void(const ListeningEvent&)> listening_changed{};
  /// A channel has its first stream.
  std::function<void(const ChannelEvent&)> channel_occupied{};
  /// A channel has no stream any more.
  std::function<void(const ChannelEvent&)> channel_vacated{};
  /// A recipient no longer has a message pending that was sent with SendRequest::notify. At most once, while the
  /// process lives; in a cluster on the node that removed the message, which need not be the one that sent it.
  std::function<void(const DeliveryReport&)> settled{};
};

}  // namespace sse
