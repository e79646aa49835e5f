// Masks remembered by configuration: a shared base row, and the words that differ from it.
// Law: what is copied out is what was stored, bit for bit; forgetting one only means that it is made again.
// Cost: a copy of 16 KiB (0.33 us for 131,072 tokens) and one store a word that differs; a lock of a shard
// beside it. A mask is kept in 8 bytes for each word that differs, where these are few.
// Source: architecture, "Limits" (caches have byte limits and eviction that never changes a result).
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "common.hpp"

namespace gramspec {

class Masks {
 public:
  enum class Known : std::int8_t { kNo, kMask, kAccepting };  // a mask; one of a text that may end

  Masks(std::size_t words, std::int64_t max_bytes);
  Masks(const Masks&) = delete;
  Masks& operator=(const Masks&) = delete;

  // Write the mask of a configuration if it is remembered. Any thread, at any time.
  Known copy(Id config, std::span<std::uint32_t> out) const;
  [[nodiscard]] Known known(Id config) const;
  class Recent;
  // Remember a mask; `alike` is the same for configurations whose masks differ little. The gate is held.
  void store(Id config, std::size_t alike, bool accepting, std::span<const std::uint32_t> bits);

  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_->load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t stored() const noexcept { return stored_; }
  [[nodiscard]] std::int64_t evicted() const noexcept { return evicted_; }

 private:
  using Counter = std::shared_ptr<std::atomic<std::int64_t>>;
  struct Base {
    Base(std::span<const std::uint32_t> bits, Counter counter);
    ~Base();
    Base(const Base&) = delete;
    Base& operator=(const Base&) = delete;
    std::vector<std::uint32_t> words;
    Counter total;
  };
  struct Word {
    std::uint32_t at;
    std::uint32_t bits;
  };
  struct Mask {
    std::shared_ptr<const Base> base;  // null: no token at all
    std::vector<Word> others;
    bool accepting = false;
    mutable std::atomic<bool> used{false};  // since it was last passed over
  };
  static constexpr std::size_t kShards = 16;
  struct Shard {
    mutable std::mutex lock;
    std::vector<std::shared_ptr<const Mask>> masks;  // by configuration / kShards
  };

  [[nodiscard]] std::shared_ptr<const Mask> find(Id config) const;
  std::shared_ptr<const Mask> put(Id config, std::shared_ptr<const Mask> mask);
  static Known write(const Mask& mask, std::span<std::uint32_t> out);
  static std::int64_t cost(const Mask& mask);
  void evict();

  const std::size_t words_;
  const std::int64_t max_bytes_;
  std::array<Shard, kShards> shards_;
  // Only under the gate:
  std::unordered_map<std::size_t, std::weak_ptr<const Base>> bases_;
  std::size_t sweep_ = 64;  // bases beyond which those that are gone are cleared away
  std::deque<Id> order_;    // of being stored
  Counter bytes_;
  std::int64_t stored_ = 0, evicted_ = 0;
};

// Masks that one thread has just copied. Cost: a shared mask has a lock and a count of its users, which
// travel between the processors at every copy (two threads at 256 masks: 1.5 times one thread); here only
// once.
class Masks::Recent {
 public:
  Known copy(const Masks& masks, Id config, std::span<std::uint32_t> out);

 private:
  struct Entry {
    const Masks* from = nullptr;
    Id config = 0;
    std::shared_ptr<const Mask> mask;
  };
  std::array<Entry, 64> entries_;
};

}  // namespace gramspec
