#include "net/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "net/tls_settings.h"

namespace sse::net {

// A BIO for a socket: OpenSSL's own writes with write(2), which raises SIGPIPE, and does not count bytes.
struct TlsBio {
  static TlsSession& session(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* bytes, int size) {
    TlsSession& tls = session(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t n = ::send(tls.fd_, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      tls.wire_bytes_ += static_cast<std::uint64_t>(n);
      return static_cast<int>(n);
    }
    if (try_again(tls)) BIO_set_retry_write(bio);
    return -1;
  }

  static int read(BIO* bio, char* out, int size) {
    TlsSession& tls = session(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t n = ::recv(tls.fd_, out, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (n > 0) return static_cast<int>(n);
    if (n == 0) {
      tls.socket_ended_ = true;
      return 0;
    }
    if (try_again(tls)) BIO_set_retry_read(bio);
    return -1;
  }

  static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return session(bio).socket_ended_ ? 1 : 0;
    return 0;
  }

  // True for an error after which the call can be repeated.
  static bool try_again(TlsSession& tls) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return true;
    tls.socket_error_ = errno;
    return false;
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sse socket");
      BIO_meth_set_write(m, &TlsBio::write);
      BIO_meth_set_read(m, &TlsBio::read);
      BIO_meth_set_ctrl(m, &TlsBio::control);
      return m;
    }();
    return made;
  }
};

namespace {

std::string openssl_text(unsigned long code) {
  if (code == 0) return {};
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

TlsSession::Fault fault_of(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return TlsSession::Fault::kNotTls;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return TlsSession::Fault::kUntrustedPeer;
    default:
      return reason > SSL_AD_REASON_OFFSET ? TlsSession::Fault::kRefusedByPeer : TlsSession::Fault::kOther;
  }
}

}  // namespace

void TlsSession::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

TlsSession::TlsSession(ssl_ctx_st* context, int fd) : fd_(fd), ssl_(SSL_new(context)) {
  BIO* bio = ssl_ ? BIO_new(TlsBio::method()) : nullptr;
  if (bio == nullptr) {
    ERR_clear_error();
    throw Error(ErrorCode::kInternal, "no memory for another TLS connection");
  }
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

TlsSession::TlsSession(ssl_ctx_st* context, int fd, const std::string& server_name, const TlsTicket& ticket)
    : TlsSession(context, fd) {
  SSL_set_connect_state(ssl_.get());
  if (ticket) SSL_set_session(ssl_.get(), ticket.get());
  if (!expect_server(ssl_.get(), server_name))
    throw Error(ErrorCode::kInvalidArgument, "a certificate cannot name '" + printable(server_name, 80) + "'");
}

TlsSession::~TlsSession() = default;

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Step::kDone;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::kWantsRead;
    case SSL_ERROR_WANT_WRITE:
      return Step::kWantsWrite;
    default:
      failed(result);
      // Why a client does not trust the server.
      if (const long why = SSL_get_verify_result(ssl_.get()); why != X509_V_OK)
        problem_ += std::string(": ") + X509_verify_cert_error_string(why);
      return Step::kFailed;
  }
}

ssize_t TlsSession::read(char* out, std::size_t size) {
  if (broken_) {
    errno = EPROTO;
    return -1;
  }
  ERR_clear_error();
  std::size_t n = 0;
  const int result = SSL_read_ex(ssl_.get(), out, size, &n);
  return result == 1 ? static_cast<ssize_t>(n) : failed(result);
}

ssize_t TlsSession::write(std::string_view bytes) {
  if (broken_) {
    errno = EPROTO;
    return -1;
  }
  if (bytes.empty()) return 0;
  assert(bytes.size() >= retry_);
  // A half-written record is finished first, and alone: a success then shows exactly where its bytes end.
  const std::size_t size = retry_ != 0 ? retry_ : std::min(bytes.size(), kMaxRecord);
  ERR_clear_error();
  std::size_t n = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), size, &n);
  if (result == 1) {
    retry_ = 0;
    return static_cast<ssize_t>(n);
  }
  const ssize_t none = failed(result);
  if (none == 0) {
    errno = EPIPE;
    return -1;
  }
  if (errno == EAGAIN) retry_ = static_cast<std::uint32_t>(size);
  return none;
}

bool TlsSession::end() {
  // A close_notify alert cannot be sent in the middle of a record.
  if (broken_ || retry_ != 0) return true;
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  if (result >= 0) return true;
  const bool full = SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  return !full;
}

// The result of read() and write(): 0 at the end of the stream, otherwise -1 and errno.
ssize_t TlsSession::failed(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      problem_ = socket_error_ != 0 ? system_error(socket_error_, "the connection broke").what()
                                    : "the peer ended the connection";
      if (socket_error_ == 0) return 0;
      errno = socket_error_;
      return -1;
    default:
      broken_ = true;
      note_fault(ERR_peek_error());
      ERR_clear_error();
      errno = EPROTO;
      return -1;
  }
}

void TlsSession::note_fault(unsigned long code) {
  problem_ = openssl_text(code);
  const int reason = ERR_GET_REASON(code);
  fault_ = fault_of(reason);
  if (fault_ == Fault::kRefusedByPeer) alert_ = reason - SSL_AD_REASON_OFFSET;
}

long TlsSession::verify_error() const {
  return SSL_get_verify_result(ssl_.get());
}

TlsTicket TlsSession::ticket() const {
  SSL_SESSION* current = SSL_get0_session(ssl_.get());
  if (current == nullptr || SSL_SESSION_is_resumable(current) != 1) return nullptr;
  // OpenSSL makes a session unusable when its connection breaks; the copy stays good.
  return {SSL_SESSION_dup(current), &SSL_SESSION_free};
}

bool TlsSession::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

std::string TlsSession::version() const {
  return SSL_get_version(ssl_.get());
}

}  // namespace sse::net
