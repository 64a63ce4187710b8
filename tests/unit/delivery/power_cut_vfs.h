#pragma once

#include <sqlite3.h>

#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace sse::delivery {

/// A file system that can say what a disk holds when the power goes: what was synced, and of what was written since, in
/// any order, each piece of 512 bytes or not. SQLite writes through it while one is alive; the real files get
/// everything, so that what runs on notices nothing.
class PowerCutVfs {
 public:
  PowerCutVfs() : real_(sqlite3_vfs_find(nullptr)) {
    current() = this;
    vfs_ = *real_;
    vfs_.zName = "power-cut";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = &open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~PowerCutVfs() {
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(&vfs_);
    current() = nullptr;
  }
  PowerCutVfs(const PowerCutVfs&) = delete;
  PowerCutVfs& operator=(const PowerCutVfs&) = delete;

  /// The power goes now. Returns what each file holds then, by its path.
  std::map<std::string, std::string> cut(std::mt19937& random) {
    const std::scoped_lock lock(mutex_);
    std::map<std::string, std::string> disk;
    for (auto& [path, image] : images_) {
      std::string content = image.synced;
      for (const Change& change : image.since) {
        if (change.truncation) {
          if (random() % 2 == 0) content.resize(change.offset);
          continue;
        }
        for (std::size_t at = 0; at < change.bytes.size(); at += kSector) {
          if (random() % 3 == 0) continue;
          const std::size_t n = std::min(kSector, change.bytes.size() - at);
          if (content.size() < change.offset + at + n) content.resize(change.offset + at + n);
          content.replace(change.offset + at, n, change.bytes, at, n);
        }
      }
      disk[path] = content;
    }
    return disk;
  }
  /// How much of what was written was not synced at the last cut(), in bytes.
  std::size_t unsynced() {
    const std::scoped_lock lock(mutex_);
    std::size_t bytes = 0;
    for (const auto& [path, image] : images_)
      for (const Change& change : image.since) bytes += change.bytes.size();
    return bytes;
  }

 private:
  static constexpr std::size_t kSector = 512;

  struct Change {
    bool truncation = false;
    std::size_t offset = 0;
    std::string bytes;
  };
  struct Image {
    std::string synced;
    std::vector<Change> since;
  };
  struct File {
    sqlite3_file base;
    Image* image;
    sqlite3_io_methods methods;

    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static PowerCutVfs*& current() {
    static PowerCutVfs* vfs = nullptr;
    return vfs;
  }
  static File* file_of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

  static void apply(std::string& content, const Change& change) {
    if (change.truncation) {
      content.resize(change.offset);
      return;
    }
    if (content.size() < change.offset + change.bytes.size()) content.resize(change.offset + change.bytes.size());
    content.replace(change.offset, change.bytes.size(), change.bytes);
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    PowerCutVfs* self = current();
    File* ours = file_of(file);
    std::memset(static_cast<void*>(ours), 0, sizeof(File));
    const int result = self->real_->xOpen(vfs, name, ours->real(), flags, out);
    if (ours->real()->pMethods == nullptr) return result;
    ours->methods = *ours->real()->pMethods;
    sqlite3_io_methods& m = ours->methods;
    m.xClose = [](sqlite3_file* f) { return real_of(f)->pMethods->xClose(real_of(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      const std::scoped_lock lock(current()->mutex_);
      if (Image* image = file_of(f)->image) {
        image->since.push_back({false, static_cast<std::size_t>(at),
                                std::string(static_cast<const char*>(from), static_cast<std::size_t>(n))});
      }
      return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      const std::scoped_lock lock(current()->mutex_);
      if (Image* image = file_of(f)->image) image->since.push_back({true, static_cast<std::size_t>(size), {}});
      return real_of(f)->pMethods->xTruncate(real_of(f), size);
    };
    // No real fsync: the disk here is the image.
    m.xSync = [](sqlite3_file* f, int) {
      const std::scoped_lock lock(current()->mutex_);
      if (Image* image = file_of(f)->image) {
        for (const Change& change : image->since) apply(image->synced, change);
        image->since.clear();
      }
      return SQLITE_OK;
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      return real_of(f)->pMethods->xFileSize(real_of(f), size);
    };
    m.xLock = [](sqlite3_file* f, int how) { return real_of(f)->pMethods->xLock(real_of(f), how); };
    m.xUnlock = [](sqlite3_file* f, int how) { return real_of(f)->pMethods->xUnlock(real_of(f), how); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* held) {
      return real_of(f)->pMethods->xCheckReservedLock(real_of(f), held);
    };
    m.xFileControl = [](sqlite3_file* f, int what, void* arg) {
      return real_of(f)->pMethods->xFileControl(real_of(f), what, arg);
    };
    m.xSectorSize = [](sqlite3_file*) { return static_cast<int>(kSector); };
    // Nothing is promised: no atomic writes, no order, and a torn write may damage what is beside it.
    m.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out_page) {
      return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out_page);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int n, int how) {
      return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, how);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) { return real_of(f)->pMethods->xShmUnmap(real_of(f), remove); };
    m.iVersion = 2;
    ours->base.pMethods = &m;
    if (name != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0) {
      const std::scoped_lock lock(self->mutex_);
      const auto [known, fresh] = self->images_.try_emplace(name);
      if (fresh) {
        std::ifstream in(name, std::ios::binary);
        known->second.synced.assign(std::istreambuf_iterator<char>(in), {});
      }
      ours->image = &known->second;
    }
    return result;
  }
  static sqlite3_file* real_of(sqlite3_file* file) { return file_of(file)->real(); }

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_{};
  std::mutex mutex_;
  std::map<std::string, Image> images_;
};

}  // namespace sse::delivery
