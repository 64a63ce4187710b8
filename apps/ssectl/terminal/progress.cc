#include "ssectl/terminal/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace sse::ctl {

Progress::Progress() : shown_(isatty(STDERR_FILENO) == 1) {}

void Progress::show(const char* what, std::uint64_t done, std::uint64_t all) {
  if (!shown_ || (steady_now() < next_ && done < all)) return;
  next_ = steady_now() + std::chrono::milliseconds(100);
  constexpr std::uint64_t kCells = 30;
  const std::uint64_t full = all == 0 ? kCells : std::min(done, all) * kCells / all;
  std::string bar(full, '#');
  bar.resize(kCells, '.');
  std::fprintf(stderr, "\r\033[K%-9s [%s] %3llu%%  %llu of %llu", what, bar.c_str(),
               static_cast<unsigned long long>(all == 0 ? 100 : std::min(done, all) * 100 / all),
               static_cast<unsigned long long>(done), static_cast<unsigned long long>(all));
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace sse::ctl
