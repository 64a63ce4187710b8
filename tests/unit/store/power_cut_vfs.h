#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::store {

/// A file system that can say what a disk holds when the power goes: what was synced, and of what was written since, in
/// any order, each piece of 512 bytes or not; a file that was deleted may be there again. SQLite writes through it
/// while one is alive; the real files get everything, so that what runs on notices nothing. It is about one folder:
/// files elsewhere are let alone.
class PowerCutVfs {
 public:
  enum class Call { kWrite, kSync, kTruncate, kDelete };
  /// Told before each of these calls, on the thread that makes it, one at a time. It may cut(), and open databases
  /// elsewhere.
  using BeforeCall = std::function<void(Call call)>;
  /// What each file holds, by its path.
  using Disk = std::map<std::string, std::string>;

  explicit PowerCutVfs(std::string folder, BeforeCall before_call = {})
      : folder_(std::move(folder)), before_call_(std::move(before_call)), real_(sqlite3_vfs_find(nullptr)) {
    current() = this;
    vfs_ = *real_;
    vfs_.zName = "power-cut";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = &open;
    vfs_.xDelete = &remove;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~PowerCutVfs() {
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(&vfs_);
    current() = nullptr;
  }
  PowerCutVfs(const PowerCutVfs&) = delete;
  PowerCutVfs& operator=(const PowerCutVfs&) = delete;

  /// The power goes now: what is on the disk then.
  Disk cut(std::mt19937& random) {
    const std::scoped_lock lock(mutex_);
    Disk disk;
    for (const auto& [path, image] : images_) {
      if (std::optional<std::string> content = content_after_cut(image, random)) disk[path] = std::move(*content);
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
  std::size_t syncs() {
    const std::scoped_lock lock(mutex_);
    return syncs_;
  }
  /// Has so many syncs fail, the next one being number 0. What such a sync was to write is on the disk in part, and
  /// never again: the kernel takes it for written.
  ///
  /// From then on a torn write damages nothing beside it, as SQLite takes for granted of every disk unless told
  /// otherwise (SQLITE_IOCAP_POWERSAFE_OVERWRITE). Where it does not, SQLite fills a commit up to the next sector, and
  /// writes the rest of that behind the sync: a failed sync of the next commit could then spoil the one before.
  void fail_syncs(std::size_t first, std::size_t count, unsigned seed) {
    const std::scoped_lock lock(mutex_);
    characteristics_ = SQLITE_IOCAP_POWERSAFE_OVERWRITE;
    first_failing_ = syncs_ + first;
    failing_ = count;
    damage_.seed(seed);
  }

 private:
  static constexpr std::size_t kSector = 512;

  struct Change {
    bool truncation = false;
    std::size_t offset = 0;
    std::string bytes;
  };
  struct Image {
    bool exists = false;
    std::string synced;
    std::vector<Change> since;
    std::optional<std::string> deleted;  // what was there under this name, which may come back
    bool fresh = false;                  // made, and not synced since
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
  static sqlite3_file* real_of(sqlite3_file* file) { return file_of(file)->real(); }

  static void apply(std::string& content, const Change& change) {
    if (change.truncation) {
      content.resize(change.offset);
      return;
    }
    if (content.size() < change.offset + change.bytes.size()) content.resize(change.offset + change.bytes.size());
    content.replace(change.offset, change.bytes.size(), change.bytes);
  }
  static void apply_in_part(std::string& content, const Change& change, std::mt19937& random) {
    if (change.truncation) {
      if (random() % 2 == 0) content.resize(change.offset);
      return;
    }
    for (std::size_t at = 0; at < change.bytes.size(); at += kSector) {
      if (random() % 3 == 0) continue;
      const std::size_t n = std::min(kSector, change.bytes.size() - at);
      if (content.size() < change.offset + at + n) content.resize(change.offset + at + n);
      content.replace(change.offset + at, n, change.bytes, at, n);
    }
  }
  static std::optional<std::string> content_after_cut(const Image& image, std::mt19937& random) {
    if (image.deleted && random() % 2 == 0) return image.deleted;
    if (!image.exists) return std::nullopt;
    std::string content = image.synced;
    for (const Change& change : image.since) apply_in_part(content, change, random);
    return content;
  }

  void forget_deleted() {
    for (auto& [path, image] : images_) image.deleted.reset();
  }
  bool is_ours(const char* name) const { return name != nullptr && std::string_view(name).starts_with(folder_); }
  void announce(Call call) {
    if (!before_call_) return;
    const std::scoped_lock one_at_a_time(announcing_);
    before_call_(call);
  }

  static int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
    PowerCutVfs& self = *current();
    if (Image* image = file_of(f)->image) {
      self.announce(Call::kWrite);
      const std::scoped_lock lock(self.mutex_);
      image->since.push_back({false, static_cast<std::size_t>(at),
                              std::string(static_cast<const char*>(from), static_cast<std::size_t>(n))});
    }
    return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 size) {
    PowerCutVfs& self = *current();
    if (Image* image = file_of(f)->image) {
      self.announce(Call::kTruncate);
      const std::scoped_lock lock(self.mutex_);
      image->since.push_back({true, static_cast<std::size_t>(size), {}});
    }
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
  }
  // No real fsync: the disk here is the image.
  static int sync(sqlite3_file* f, int /*flags*/) {
    PowerCutVfs& self = *current();
    Image* image = file_of(f)->image;
    if (image == nullptr) return SQLITE_OK;
    self.announce(Call::kSync);
    const std::scoped_lock lock(self.mutex_);
    const std::size_t number = self.syncs_++;
    const bool fails = number >= self.first_failing_ && number - self.first_failing_ < self.failing_;
    for (const Change& change : image->since) {
      fails ? apply_in_part(image->synced, change, self.damage_) : apply(image->synced, change);
    }
    image->since.clear();
    if (fails) return SQLITE_IOERR_FSYNC;
    // With a new journal or log SQLite's own file system syncs the folder, and so what was deleted there.
    if (std::exchange(image->fresh, false)) self.forget_deleted();
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    PowerCutVfs& self = *current();
    if (self.is_ours(name)) self.announce(Call::kDelete);
    const int result = self.real_->xDelete(vfs, name, sync_folder);
    const std::scoped_lock lock(self.mutex_);
    const auto known = self.images_.find(name);
    if (result != SQLITE_OK || known == self.images_.end()) return result;
    Image& image = known->second;
    if (image.exists) image.deleted = content_after_cut(image, self.damage_);
    if (sync_folder != 0) self.forget_deleted();
    image.exists = false;
    image.synced.clear();
    image.since.clear();
    return result;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    PowerCutVfs* self = current();
    File* ours = file_of(file);
    std::memset(static_cast<void*>(ours), 0, sizeof(File));
    int there = 0;
    if (self->is_ours(name)) self->real_->xAccess(vfs, name, SQLITE_ACCESS_EXISTS, &there);
    const int result = self->real_->xOpen(vfs, name, ours->real(), flags, out);
    if (ours->real()->pMethods == nullptr) return result;
    ours->methods = *ours->real()->pMethods;
    sqlite3_io_methods& m = ours->methods;
    m.xClose = [](sqlite3_file* f) { return real_of(f)->pMethods->xClose(real_of(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
    };
    m.xWrite = &write;
    m.xTruncate = &truncate;
    m.xSync = &sync;
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
    m.xDeviceCharacteristics = [](sqlite3_file*) { return current()->characteristics_.load(); };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out_page) {
      return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out_page);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int n, int how) {
      return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, how);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove_it) { return real_of(f)->pMethods->xShmUnmap(real_of(f), remove_it); };
    m.iVersion = 2;
    ours->base.pMethods = &m;
    if (self->is_ours(name) && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0) {
      const std::scoped_lock lock(self->mutex_);
      const auto [known, fresh] = self->images_.try_emplace(name);
      Image& image = known->second;
      if (!image.exists) {
        // Made just now and empty, or from before, and then all of it is on the disk.
        image.exists = true;
        image.fresh = there == 0;
        if (fresh) {
          std::ifstream in(name, std::ios::binary);
          image.synced.assign(std::istreambuf_iterator<char>(in), {});
        }
      }
      ours->image = &image;
    }
    return result;
  }

  const std::string folder_;
  const BeforeCall before_call_;
  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_{};
  std::mutex announcing_;
  std::mutex mutex_;
  std::map<std::string, Image> images_;
  // Nothing is promised: no atomic writes, no order, and a torn write may damage what is beside it.
  std::atomic<int> characteristics_{0};
  std::size_t syncs_ = 0;
  std::size_t first_failing_ = 0;
  std::size_t failing_ = 0;
  std::mt19937 damage_;
};

}  // namespace sse::store
