#pragma once

#include <string>

#include "cluster/redis/redis_repository.h"
#include "cluster/redis/redis_script.h"

/// The Lua scripts of RedisRepository. Keys below its prefix:
///
///     last                    "<millis> <sequence>" of the last id
///     epoch                   a random word that distinguishes this data from data written after Redis was emptied
///     count, bytes            number of (message, recipient) pairs; data of all messages, each counted once
///     message:<member>        hash: service, kind, listening, event, data, size, created, expires, collapse, and
///                             awaited if a sender waits for its confirmations; notify and its sender's key if the
///                             removals of its pairs are reported; the kind is `several` for users and tokens
///     names:<member>          set: the recipients that have not confirmed; of several kinds, each with its kind:
///                             `user:ann`
///     attempts:<member>       hash: name → deliveries
///     of:<recipient>          sorted set: members that are pending for the recipient
///     bytes:<recipient>       size of their data
///     collapse:<recipient>    hash: collapse key → member
///     all, expiry             sorted sets: every member; the same, scored by expiry time
///     key:<service and key>   "<member> <expires>"
///     keys                    sorted set: those keys, scored by expiry time
///     dead:<serial>           hash: a dead letter; with notify if it is to be reported when it is sent again
///     dead-data:<payload>     hash: data that the letters of one message share, and their number
///     deads                   sorted set: their serials
///     dead-serial, dead-bytes
///     dead-known              hash: first member and recipient of a dead letter → serial
///     reports                 hash: number → delivery report in MessagePack
///     outbox, claimed         sorted sets: numbers of reports that no node has claimed; of those that one has, scored
///     by
///                             the end of the claim
///     report-serial, report-bytes
///     accepted:<node>         the member of the newest message that a node added: what a new primary has of its
///     messages recount                 hash, during a recount: cursor; pairs and bytes of all members up to it; lost
///     pairs and
///                             restored entries
///
/// When an awaited message is no longer pending for a recipient, its member and the recipient are published to the
/// channel `settled`.
///
/// Redis is not trusted to retain all keys: with a maxmemory-policy that evicts, any key may disappear alone. A script
/// treats a missing part as deleted, still removes the other parts, and does a bounded amount of work.
///
/// Over its `maxmemory` Redis refuses a script whose first write may allocate memory (INCR, HSET, ZADD, …). After a
/// first write that never does (DEL, ZREM, PERSIST, …) it executes the whole script. So a script that frees memory
/// deletes before it writes, and a script that must run with little memory begins with such a write.
///
/// A member is an id as 13 digits of milliseconds and 7 digits of its lower bits: numbers in Lua are doubles, which
/// cannot hold an id, and Redis orders members of one score by their bytes.
namespace sse::cluster::scripts {

// Functions that others begin with.
extern const char* const kReports;
extern const char* const kCommon;
extern const char* const kKeep;

extern const char* const kAdd;
extern const char* const kRequeue;
extern const char* const kDrop;
extern const char* const kAttempts;
extern const char* const kPending;
extern const char* const kExpire;
extern const char* const kErase;
extern const char* const kForgetDead;
extern const char* const kAddDead;
extern const char* const kLook;
extern const char* const kRelist;
extern const char* const kRecount;
extern const char* const kRecountDead;
extern const char* const kClaimReports;
extern const char* const kRenewClaims;
extern const char* const kForgetReports;

}  // namespace sse::cluster::scripts

namespace sse::cluster {

struct RedisRepository::Scripts {
  /// The limits of the outbox are part of the texts.
  explicit Scripts(const store::StoreLimits& limits)
      : Scripts("local MAX_REPORTS, MAX_REPORT_BYTES = " + std::to_string(limits.outbox) + ", " +
                    std::to_string(limits.outbox_bytes.count()) + scripts::kReports + scripts::kCommon,
                scripts::kKeep) {}
  Scripts(const std::string& common, const std::string& keep)
      : add(common + keep + scripts::kAdd),
        requeue(common + keep + scripts::kRequeue),
        drop(common + scripts::kDrop),
        attempts(common + scripts::kAttempts),
        pending(common + scripts::kPending),
        expire(common + scripts::kExpire),
        erase(common + scripts::kErase),
        forget_dead(common + scripts::kForgetDead),
        add_dead(common + keep + scripts::kAddDead),
        look(common + scripts::kLook),
        relist(common + scripts::kRelist),
        recount(common + scripts::kRecount),
        recount_dead(common + scripts::kRecountDead),
        claim_reports(common + scripts::kClaimReports),
        renew_claims(common + scripts::kRenewClaims),
        forget_reports(common + scripts::kForgetReports) {}

  const RedisScript add, requeue, drop, attempts, pending, expire, erase, forget_dead, add_dead, look, relist, recount,
      recount_dead, claim_reports, renew_claims, forget_reports;
};

}  // namespace sse::cluster
