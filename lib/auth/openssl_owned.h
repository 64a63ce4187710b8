#pragma once

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <memory>

namespace sse::auth {

/// Frees an object of OpenSSL with the function for its type.
template <auto free_it>
struct OpensslDeleter {
  template <class T>
  void operator()(T* object) const {
    free_it(object);
  }
};

using OwnedKey = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using OwnedBio = std::unique_ptr<BIO, OpensslDeleter<BIO_free_all>>;
using OwnedDigestContext = std::unique_ptr<EVP_MD_CTX, OpensslDeleter<EVP_MD_CTX_free>>;
using OwnedSignature = std::unique_ptr<ECDSA_SIG, OpensslDeleter<ECDSA_SIG_free>>;

}  // namespace sse::auth
