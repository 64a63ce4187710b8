#pragma once

#include <string>

namespace sse::ctl {

/// Opens an address in the user's browser (xdg-open). Other users of this machine see the arguments of its programs, so
/// the browser is given a file that leads to the address and that only this user can read. The file exists as long as
/// this object.
class BrowserWindow {
 public:
  /// `url`: of safe characters only. Throws Error if the file cannot be written or the browser cannot be started.
  explicit BrowserWindow(const std::string& url);
  ~BrowserWindow();
  BrowserWindow(const BrowserWindow&) = delete;
  BrowserWindow& operator=(const BrowserWindow&) = delete;

 private:
  std::string folder_;
  std::string file_;
};

}  // namespace sse::ctl
