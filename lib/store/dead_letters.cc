#include "store/dead_letters.h"

#include "store/imported.h"

namespace sse::store {

NewMessage as_import(const DeadLetter& letter) {
  const PendingMessage& m = letter.message;
  NewMessage import{m.service, {m.recipient.kind, {m.recipient.name}, false}, "", "", letter.died, letter.died};
  import.original = first_id(m);
  import.key = import_key(import.original, m.recipient);
  return import;
}

}  // namespace sse::store
