// What stops a call that takes too long: seconds, a request to cancel, a signal such as Ctrl-C.
// Law: work is counted (expressions, configurations, steps); the clock and the flags are looked at every few
// hundred microseconds of it. What stops a call is thrown where limits are, so the engine stays as good as
// new. Cost: a subtraction a step; 50 ns every 4,096 of them. Source: architecture, "Limits" (fuel first,
// seconds are a backstop).
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "common.hpp"

namespace gramspec {

// Becomes gramspec.errors.CancelledError.
struct Cancelled {
  std::string who{};  // which of several calls, or empty
};
struct Interrupted {};  // a signal handler has raised, and Python's error indicator is set

using CancelFlag = std::atomic<bool>;

class Fuel {
 public:
  // On what terms a call runs.
  struct Terms {
    const char* limit = "mask_seconds";
    double seconds = 0;                     // none: no bound
    const CancelFlag* cancelled = nullptr;  // may be null
    const CancelFlag* stopped = nullptr;    // the batch that the call belongs to; may be null
  };
  // How the thread inside asks for signals: false where no handler has raised. Null where it may not ask.
  struct Signals {
    bool (*raised)(void*) = nullptr;
    void* context = nullptr;
  };

  void tick(std::int64_t steps = 1) {
    left_ -= steps;
    if (left_ < 0) look();
  }

  // For the time of a call. Within another one of the same thread the terms of that one stay.
  class Call {
   public:
    Call(Fuel& fuel, const Terms& terms, const Signals& signals)
        : fuel_(fuel), before_(fuel.signals_), outermost_(fuel.calls_++ == 0) {
      fuel_.signals_ = signals;
      if (!outermost_) return;
      fuel_.terms_ = terms;
      fuel_.left_ = kQuantum;
      fuel_.begun_ = {};
    }
    ~Call() {
      --fuel_.calls_;
      fuel_.signals_ = before_;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Fuel& fuel_;
    const Signals before_;
    const bool outermost_;
  };

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::int64_t kQuantum = 4096;

  void look() {
    left_ = kQuantum;
    if (calls_ == 0) return;
    for (const CancelFlag* flag : {terms_.cancelled, terms_.stopped}) {
      if (flag != nullptr && flag->load(std::memory_order_relaxed)) throw Cancelled{};
    }
    const Clock::time_point now = Clock::now();
    if (begun_ == Clock::time_point{})
      begun_ = asked_ = now;  // the first look: what came before is not counted
    if (terms_.seconds > 0 && std::chrono::duration<double>(now - begun_).count() > terms_.seconds) {
      throw LimitExceeded(terms_.limit, "it took longer than " + seconds_text());
    }
    if (signals_.raised != nullptr && now - asked_ > std::chrono::milliseconds(15)) {
      const bool raised = signals_.raised(signals_.context);
      asked_ = Clock::now();
      if (raised) throw Interrupted{};
    }
  }
  [[nodiscard]] std::string seconds_text() const {
    std::string text = std::to_string(terms_.seconds);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text + " s";
  }

  Terms terms_;
  Signals signals_;
  std::int64_t left_ = kQuantum;
  int calls_ = 0;
  Clock::time_point begun_{}, asked_{};
};

// Count work against the fuel of an engine; nothing where there is none.
inline void tick(const Bounds& bounds, std::int64_t steps = 1) {
  if (bounds.fuel != nullptr) bounds.fuel->tick(steps);
}

}  // namespace gramspec
