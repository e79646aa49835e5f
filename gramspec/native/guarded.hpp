// Entry to an engine from Python: the gate, the GIL, and rules whose bodies are still to be loaded.
// Law: nobody waits for the gate with the GIL held. `RuleNeeded` never reaches Python: the engine's expander
// loads the body, with the GIL and without the gate, and the call starts again.
// Cost: two atomic operations while the gate is free; a long call also gives the GIL up and takes it back (60
// ns). Source: CPython C API, "Thread State and the Global Interpreter Lock".
#pragma once

#include <nanobind/nanobind.h>

#include <mutex>
#include <utility>

#include "engine.hpp"

namespace gramspec {

namespace nb = nanobind;

// Load the body of a rule; the GIL is held.
inline void expand(Engine& engine, Id rule) {
  if (!engine.expander) {
    throw std::logic_error("rule " + std::to_string(rule) + " is needed, and nobody can load its body");
  }
  engine.expander(rule);
}

// The gate while the GIL is held: without waiting if it is free, otherwise waiting without the GIL.
class Entered {
 public:
  explicit Entered(Engine& engine) : gate_(engine.gate) {
    if (gate_.try_lock()) return;
    const nb::gil_scoped_release unlocked;
    gate_.lock();
  }
  ~Entered() { gate_.unlock(); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Gate& gate_;
};

// Call `fn` with the gate held. It may touch Python objects only if it never takes long.
template <class F>
auto guarded(Engine& engine, F&& fn) {
  for (;;) {
    Id rule = kNone;
    try {
      const Entered entered(engine);
      return fn();
    } catch (const RuleNeeded& needed) {
      rule = needed.rule;
    }
    expand(engine, rule);
  }
}

// The same without the GIL: `fn` must not touch Python objects.
template <class F>
auto guarded_long(Engine& engine, F&& fn) {
  for (;;) {
    Id rule = kNone;
    try {
      const nb::gil_scoped_release unlocked;
      const std::lock_guard<Gate> held(engine.gate);
      return fn();
    } catch (const RuleNeeded& needed) {
      rule = needed.rule;
    }
    expand(engine, rule);
  }
}

}  // namespace gramspec
