#include "pool.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <thread>

namespace gramspec {

namespace {
constexpr auto kLookOut = std::chrono::microseconds(200);
constexpr std::size_t kStack = std::size_t{16} << 20;
constexpr auto kIdle = std::chrono::milliseconds(20);

std::atomic<Pool*> pool{nullptr};

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Look at something for a while without sleeping.
template <class Seen>
bool look_out(Seen&& seen) {
  const auto until = std::chrono::steady_clock::now() + kLookOut;
  do {
    for (int i = 0; i < 32; ++i) {
      if (seen()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < until);
  return seen();
}
}  // namespace

Pool& Pool::shared() {
  // Leaked, so that its threads never outlive it; a child of a fork has none of them and starts anew.
  static const bool registered = [] {
    return pthread_atfork(nullptr, nullptr, [] { pool.store(nullptr, std::memory_order_release); }) == 0;
  }();
  (void)registered;
  Pool* known = pool.load(std::memory_order_acquire);
  if (known == nullptr) {
    auto* fresh = new Pool();
    if (pool.compare_exchange_strong(known, fresh)) return *fresh;
    delete fresh;
  }
  return *known;
}

int Pool::processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

void Pool::run(std::size_t count, int threads, const Job& job, const std::function<void()>& idle) {
  const int helpers = static_cast<int>(std::min<std::size_t>(count, static_cast<std::size_t>(threads))) - 1;
  Batch batch{job, Work(count, static_cast<std::size_t>(std::max(1, helpers + 1))), helpers};
  if (helpers <= 0) {
    job(batch.work, 0);
    return;
  }
  {
    const std::lock_guard held(lock_);
    while (threads_ < helpers && start()) ++threads_;
    open_.push_back(&batch);
    waiting_.fetch_add(1, std::memory_order_release);
  }
  if (helpers == 1) {
    more_.notify_one();
  } else {
    more_.notify_all();
  }
  job(batch.work, 0);
  {
    const std::lock_guard held(lock_);
    if (std::erase(open_, &batch) > 0) waiting_.fetch_sub(1, std::memory_order_release);
  }
  // Nobody can join any more.
  look_out([&] { return batch.helping.load(std::memory_order_acquire) == 0; });
  std::unique_lock held(lock_);
  while (!done_.wait_for(held, kIdle, [&] { return batch.inside == 0; })) {
    held.unlock();
    idle();
    held.lock();
  }
}

// A thread of its own stack size: what the platform gives by default may be too little for deep expressions.
bool Pool::start() {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const auto begin = [](void* self) -> void* {
    static_cast<Pool*>(self)->serve();
    return nullptr;
  };
  const bool started = pthread_create(&thread, &attributes, begin, this) == 0;
  pthread_attr_destroy(&attributes);
  return started;
}

void Pool::serve() {
  std::unique_lock held(lock_);
  for (;;) {
    if (open_.empty()) {
      held.unlock();
      look_out([&] { return waiting_.load(std::memory_order_acquire) > 0; });
      held.lock();
      // Woken too late for one batch, it looks out for the next: asleep it would be late for that one too.
      if (open_.empty()) more_.wait(held);
      continue;
    }
    Batch& batch = *open_.front();
    ++batch.inside;
    const std::size_t number = ++batch.joined;
    batch.helping.fetch_add(1, std::memory_order_relaxed);
    if (--batch.wanted == 0) {
      open_.erase(open_.begin());
      waiting_.fetch_sub(1, std::memory_order_release);
    }
    held.unlock();
    batch.job(batch.work, number);
    held.lock();
    const bool last = --batch.inside == 0;
    batch.helping.fetch_sub(1, std::memory_order_release);
    if (last) done_.notify_all();
  }
}

}  // namespace gramspec
