#include "ssectl/terminal/stopping.h"

#include <ctime>
#include <initializer_list>

namespace sse::ctl {

Stopping::Stopping() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

Stopping::~Stopping() {
  // Discard pending signals: they were meant for the command that has already ended.
  while (wait(0)) stopped_ = false;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Stopping::wait(int millis) {
  if (stopped_) return true;
  const timespec time{millis / 1000, millis % 1000 * 1'000'000L};
  stopped_ = sigtimedwait(&signals_, nullptr, &time) > 0;
  return stopped_;
}

}  // namespace sse::ctl
