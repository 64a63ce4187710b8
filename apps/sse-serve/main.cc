#include <cstdio>

#include "base/version.h"

int main() {
  std::puts(sse::base::kVersion);
}
