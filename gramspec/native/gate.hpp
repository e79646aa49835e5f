// The lock of an engine: exclusive, fair (first come, first served), re-entrant for the thread that holds it.
// Law: whatever reads or grows expressions, configurations or rows holds the gate. Nobody waits for it with
// the GIL held, so that its holder may ask for the GIL. Cost: two atomic operations while nobody else wants
// it. Source: Mellor-Crummey and Scott, ACM TOCS 9(1), 1991 (ticket locks).
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace gramspec {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // False while another thread holds the gate or waits for it.
  bool try_lock() noexcept {
    if (mine()) {
      ++depth_;
      return true;
    }
    std::uint32_t serving = serving_.load(std::memory_order_acquire);
    if (!next_.compare_exchange_strong(serving, serving + 1, std::memory_order_acq_rel)) return false;
    enter();
    return true;
  }

  void lock() noexcept {
    if (mine()) {
      ++depth_;
      return;
    }
    const std::uint32_t ticket = next_.fetch_add(1, std::memory_order_acq_rel);
    for (;;) {
      const std::uint32_t serving = serving_.load(std::memory_order_acquire);
      if (serving == ticket) break;
      serving_.wait(serving, std::memory_order_acquire);
    }
    enter();
  }

  void unlock() noexcept {
    if (--depth_ > 0) return;
    owner_.store(std::thread::id(), std::memory_order_relaxed);
    serving_.fetch_add(1, std::memory_order_acq_rel);
    serving_.notify_all();
  }

  // Whether this thread holds the gate.
  [[nodiscard]] bool mine() const noexcept {
    return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

 private:
  void enter() noexcept {
    owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    depth_ = 1;
  }

  std::atomic<std::uint32_t> next_{0}, serving_{0};
  std::atomic<std::thread::id> owner_{};
  std::int32_t depth_ = 0;  // only the holder looks at it
};

}  // namespace gramspec
