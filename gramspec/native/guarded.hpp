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

// Signal handlers run in the main thread only: its identity, set from Python when the module is imported
// and after a fork.
void set_main_thread(unsigned long ident) noexcept;
// How this thread asks whether a handler has raised; `state` is what it gave the GIL up with, null if it
// holds it.
Fuel::Signals signals(PyThreadState* state) noexcept;
// A signal handler has raised: hand its exception on. The GIL is held.
[[noreturn]] inline void raise_interruption() { throw nb::python_error(); }

inline Fuel::Terms mask_terms(const Engine& engine, const CancelFlag* cancelled = nullptr) {
  return {"mask_seconds", engine.bounds.mask_seconds, cancelled};
}

// The gate while the GIL is held: without waiting if it is free, otherwise waiting without the GIL.
class Entered {
 public:
  explicit Entered(Engine& engine) : gate_(engine.gate) {
    engine.refuse_reentry();
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

// The GIL given up.
class Released {
 public:
  Released() : state(PyEval_SaveThread()) {}
  ~Released() { PyEval_RestoreThread(state); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

  PyThreadState* const state;
};

// Call `fn` with the gate held. It may touch Python objects only if it never takes long.
template <class F>
auto guarded(Engine& engine, F&& fn, const CancelFlag* cancelled = nullptr) {
  for (;;) {
    Id rule = kNone;
    try {
      const Entered entered(engine);
      const Engine::Inside inside(engine, mask_terms(engine, cancelled), signals(nullptr));
      return fn();
    } catch (const RuleNeeded& needed) {
      rule = needed.rule;
    } catch (const Interrupted&) {
      raise_interruption();
    }
    expand(engine, rule);
  }
}

// The same without the GIL: `fn` must not touch Python objects.
template <class F>
auto guarded_long(Engine& engine, F&& fn, const CancelFlag* cancelled = nullptr) {
  for (;;) {
    Id rule = kNone;
    try {
      engine.refuse_reentry();
      const Released released;
      const std::lock_guard<Gate> held(engine.gate);
      const Engine::Inside inside(engine, mask_terms(engine, cancelled), signals(released.state));
      return fn();
    } catch (const RuleNeeded& needed) {
      rule = needed.rule;
    } catch (const Interrupted&) {
      raise_interruption();
    }
    expand(engine, rule);
  }
}

}  // namespace gramspec
