// A pool of threads for masks of many sequences: one in the process, made when first needed, never torn down.
// Law: every job runs exactly once, and `run` returns when the last has ended. Jobs must not throw, and must
// not touch Python. A process that forks finds a new pool in the child. Cost: waking a sleeping thread, 5 us;
// one that has just worked still looks out for more for 50 us. Source: API, section 3 (`fill_bitmasks`).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace gramspec {

class Pool {
 public:
  static Pool& shared();
  // Threads that can run at once on this machine.
  static int processors();
  // Call job(0), …, job(count - 1), on this thread and at most `threads - 1` others. Every 20 ms that this
  // thread waits for the others it calls `idle`, which must not throw.
  void run(std::size_t count, int threads, const std::function<void(std::size_t)>& job,
           const std::function<void()>& idle);

 private:
  struct Batch {
    const std::function<void(std::size_t)>& job;
    std::size_t count;
    int wanted;      // helpers that may still join; under the lock
    int inside = 0;  // helpers at work; under the lock
    std::atomic<std::size_t> next{0};
    std::atomic<int> helping{0};  // the same as `inside`, for who looks without the lock
  };

  bool start();  // false where no thread is to be had: the caller does the work
  [[noreturn]] void serve();
  static void work(Batch& batch);

  std::mutex lock_;
  std::condition_variable more_, done_;
  std::vector<Batch*> open_;     // batches that want helpers
  std::atomic<int> waiting_{0};  // their number, for who looks without the lock
  int threads_ = 0;
};

}  // namespace gramspec
