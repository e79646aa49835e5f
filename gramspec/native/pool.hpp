// A pool of threads for masks of many sequences: one in the process, made when first needed, never torn down.
// Law: every number is claimed exactly once, and `run` returns when the last job has ended. Jobs must not
// throw, and must not touch Python. A process that forks finds a new pool in the child. Cost: waking a
// sleeping thread, 5 us; one that has just worked still looks out for more for 200 us. Source: API, section 3
// (`fill_bitmasks`).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace gramspec {

class Pool {
 public:
  static Pool& shared();
  // Threads that can run at once on this machine.
  static int processors();
  // The numbers 0, …, count - 1, each handed out once: to every thread those of its own part first, so that
  // from call to call the same thread writes the same memory, then what is left of the others'.
  class Work {
   public:
    Work(std::size_t count, std::size_t threads) : parts_(threads) {
      for (std::size_t t = 0; t < threads; ++t) {
        parts_[t].next = count * t / threads;
        parts_[t].end = count * (t + 1) / threads;
      }
    }
    // The next one of the thread with this number; nothing if none is left.
    std::optional<std::size_t> claim(std::size_t thread) {
      for (std::size_t i = 0; i < parts_.size(); ++i) {
        Part& part = parts_[(thread + i) % parts_.size()];
        if (part.next.load(std::memory_order_relaxed) >= part.end) continue;
        const std::size_t number = part.next.fetch_add(1, std::memory_order_relaxed);
        if (number < part.end) return number;
      }
      return std::nullopt;
    }

   private:
    struct alignas(64) Part {
      std::atomic<std::size_t> next{0};
      std::size_t end = 0;
    };
    std::vector<Part> parts_;
  };
  using Job = std::function<void(Work&, std::size_t thread)>;
  // Call `job` once on this thread and once on at most `threads - 1` others; between them they claim all the
  // work. Every 20 ms that this thread waits for the others it calls `idle`, which must not throw.
  void run(std::size_t count, int threads, const Job& job, const std::function<void()>& idle);

 private:
  struct Batch {
    const Job& job;
    Work work;
    int wanted;                   // helpers that may still join; under the lock
    int inside = 0;               // helpers at work; under the lock
    std::size_t joined = 0;       // threads that have come, the caller not counted; under the lock
    std::atomic<int> helping{0};  // the same as `inside`, for who looks without the lock
  };

  bool start();  // false where no thread is to be had: the caller does the work
  [[noreturn]] void serve();

  std::mutex lock_;
  std::condition_variable more_, done_;
  std::vector<Batch*> open_;     // batches that want helpers
  std::atomic<int> waiting_{0};  // their number, for who looks without the lock
  int threads_ = 0;
};

}  // namespace gramspec
