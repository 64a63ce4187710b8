#include "admin/send_routes.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "admin/admin_http.h"
#include "admin/local_header.h"
#include "admin/message_parameters.h"
#include "api/send_reader.h"
#include "application/connection_json.h"
#include "base/slot.h"
#include "base/text.h"
#include "event/event.h"
#include "net/trace_header.h"
#include "store/imported.h"

namespace sse::admin {
namespace {

using event::Json;

constexpr std::size_t kMaxBulkLines = 100'000;
constexpr std::size_t kSliceLines = 500;
// Requests that may block a worker until they are confirmed: a quarter of the workers.
constexpr std::size_t kMaxWaiting = 16;

// Lines of one bulk request to one service.
struct Slice {
  std::vector<delivery::SendRequest> requests;
  std::vector<std::size_t> lines;
};

std::string problem_line(ErrorCode code, const std::string& sentence) {
  return event::dump_json(problem(http_status(code), std::string(error_name(code)), sentence));
}

// Reads a line of `messages export --dead`.
store::DeadLetter dead_letter(api::SendRequest&& line) {
  // A send checks its event itself; a dead letter may be sent later, when it is requeued.
  event::validate({line.event, line.data, "", std::nullopt});
  store::DeadLetter letter;
  store::PendingMessage& message = letter.message;
  message.id = store::original_in(line.key);
  if (!message.id.valid())
    throw Error(ErrorCode::kInvalidArgument, "a line of a dead letter needs the id it was exported with");
  if (line.target.names.size() > 1 || !line.also.empty())
    throw Error(ErrorCode::kInvalidArgument, "a dead letter has one recipient; this one names several");
  message.service = line.service;
  message.recipient = {line.target.kind, line.target.names.empty() ? "" : line.target.names.front()};
  message.listening = line.target.listening;
  message.event = std::move(line.event);
  message.data = std::move(line.data);
  message.data_size = message.data.size();
  message.collapse = std::move(line.collapse);
  message.notify = line.notify;
  message.created = from_millis(line.dead->created);
  message.expires = from_millis(line.dead->expires);
  message.attempts = static_cast<std::uint32_t>(std::min<std::uint64_t>(line.dead->attempts, UINT32_MAX));
  letter.died = from_millis(line.dead->died);
  return letter;
}

std::string letter_answer(MessageId id, store::LetterOutcome outcome) {
  if (outcome == store::LetterOutcome::kLimitReached) {
    return problem_line(ErrorCode::kLimitExceeded,
                        "the dead letters have reached --qos-max-dead or 64 MiB; purge or requeue some");
  }
  Json json{{"id", id.str()}, {"delivered", 0}, {"pending", 0}, {"recipients", Json::array()}};
  if (outcome == store::LetterOutcome::kKnown) json["repeated"] = true;
  return event::dump_json(json);
}

// Calls `use` with each line that is not blank.
template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) use(line);
  }
}

}  // namespace

delivery::SendRequest send_request(api::SendRequest&& api_request) {
  delivery::SendRequest request{std::move(api_request.target),
                                std::move(api_request.event),
                                std::move(api_request.data),
                                api_request.qos,
                                api_request.ttl.value_or(std::chrono::milliseconds(0)),
                                std::move(api_request.key),
                                std::move(api_request.collapse)};
  request.also = std::move(api_request.also);
  request.except = std::move(api_request.except);
  request.notify = api_request.notify;
  request.original = store::original_in(request.key);
  if (!request.original.valid()) return request;
  if (request.target.names.size() > 1 || !request.also.empty())
    throw Error(ErrorCode::kInvalidArgument, "an imported message has one recipient; this one names several");
  // Computed anew, because an older version wrote keys in which the checksums of two names could collide.
  request.key = store::import_key(
      request.original, {request.target.kind, request.target.names.empty() ? "" : request.target.names.front()});
  return request;
}

SendRoutes::SendRoutes(net::Router& router, const std::vector<application::Service>& services, store::DeadLetters& dead)
    : services_(services), dead_(dead) {
  router.post("/api/v1/send", [this](const httplib::Request& req, httplib::Response& res) { send(req, res); });
}

void SendRoutes::send(const httplib::Request& req, httplib::Response& res) {
  if (to_lower(req.get_header_value("Content-Type")).starts_with(kNdjson)) {
    send_bulk(req, res);
    return;
  }
  api::SendRequest api_request = api::read_send_request(req.body, "the request body");
  if (api_request.dead) throw Error(ErrorCode::kInvalidArgument, "dead is for bulk requests, not for single messages");
  delivery::Sender& sender = *find_service(services_, api_request.service.str()).sender;
  const auto wait = api_request.wait;
  delivery::SendRequest request = send_request(std::move(api_request));
  request.local = req.has_header(kLocalHeader);
  request.trace = net::trace_context(req);
  if (!wait) {
    res.set_content(application::to_text(sender.send(request)), kJsonType);
    return;
  }
  // Only requests that AsyncSend leaves: bodies on disk, imports, requests for this node alone.
  const Slot slot(waiting_, kMaxWaiting);
  if (!slot)
    throw Error(ErrorCode::kUnavailable, std::to_string(kMaxWaiting) +
                                             " large requests are waiting for confirmations, and this one was not "
                                             "sent; try again later, or send without waiting");
  res.set_content(application::to_text(sender.send_and_wait(request, *wait)), kJsonType);
}

// Reads a request a line and writes a result or a problem a line. All messages with qos share a commit. Without qos in
// a cluster, the first lines are sent to the other nodes while the next are parsed. On a single node the streams would
// only compete with the parser for the core.
void SendRoutes::send_bulk(const httplib::Request& req, httplib::Response& res) {
  std::size_t count = 0;
  for_each_line(req.body, [&](std::string_view) { ++count; });
  if (count > kMaxBulkLines) {
    throw Error(ErrorCode::kTooLarge,
                "more than " + std::to_string(kMaxBulkLines) + " messages in one request; send several");
  }
  const bool local = req.has_header(kLocalHeader);
  const std::optional<TraceContext> trace = net::trace_context(req);
  const bool with_qos = req.body.find("\"qos\"") != std::string::npos;
  std::vector<std::string> answers(count);
  std::map<delivery::Sender*, Slice> slices;
  std::vector<std::pair<delivery::Sender::Sending, std::vector<std::size_t>>> sending;
  const auto start = [&](delivery::Sender& sender, Slice& slice) {
    sending.emplace_back(sender.start_all(std::move(slice.requests)), std::move(slice.lines));
    slice = {};
  };
  std::vector<store::DeadLetter> letters;
  std::vector<std::size_t> letter_lines;
  std::size_t number = 0;
  for_each_line(req.body, [&](std::string_view line) {
    delivery::Sender* sender = nullptr;
    try {
      api::SendRequest api_request = api::read_send_request(line, "the line");
      if (api_request.dead) {
        api_request.service = find_service(services_, api_request.service.str()).sender->service();
        letters.push_back(dead_letter(std::move(api_request)));
        letter_lines.push_back(number++);
        return;
      }
      if (api_request.wait)
        throw Error(ErrorCode::kInvalidArgument, "wait is for single messages, not for bulk requests");
      sender = find_service(services_, api_request.service.str()).sender.get();
      Slice& slice = slices[sender];
      slice.requests.push_back(send_request(std::move(api_request)));
      slice.requests.back().local = local;
      slice.requests.back().trace = trace;
      slice.lines.push_back(number);
    } catch (const Error& e) {
      answers[number] = problem_line(e.code(), e.what());
    }
    ++number;
    if (sender == nullptr || with_qos || local || !sender->in_cluster()) return;
    if (Slice& slice = slices[sender]; slice.requests.size() >= kSliceLines) start(*sender, slice);
  });
  for (auto& [sender, slice] : slices) {
    if (!slice.requests.empty()) start(*sender, slice);
  }
  if (!letters.empty()) {
    const std::vector<store::LetterOutcome> outcomes = dead_.add_dead(letters);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      answers[letter_lines[i]] = letter_answer(letters[i].message.id, outcomes[i]);
  }
  for (auto& [underway, lines] : sending) {
    const std::vector<delivery::SendOutcome> outcomes = underway.finish();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const auto& refusal = outcomes[i].refusal;
      answers[lines[i]] =
          refusal ? problem_line(refusal->code, refusal->sentence) : application::to_text(outcomes[i].result);
    }
  }
  std::string out;
  for (const std::string& line : answers) out.append(line).append(1, '\n');
  res.set_content(out, kNdjson);
}

}  // namespace sse::admin
