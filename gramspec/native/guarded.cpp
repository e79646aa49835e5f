#include "guarded.hpp"

#include <atomic>

namespace gramspec {

namespace {
std::atomic<unsigned long> main_thread{0};

// Asks while an engine is inside a call: a handler that uses the same engine is refused, see
// Engine::refuse_reentry.
bool handler_raised(void* context) {
  auto* state = static_cast<PyThreadState*>(context);
  if (state != nullptr) PyEval_RestoreThread(state);
  const bool raised = PyErr_CheckSignals() != 0;
  if (state != nullptr) PyEval_SaveThread();
  return raised;
}
}  // namespace

void set_main_thread(unsigned long ident) noexcept { main_thread.store(ident, std::memory_order_relaxed); }

Fuel::Signals signals(PyThreadState* state) noexcept {
  if (PyThread_get_thread_ident() != main_thread.load(std::memory_order_relaxed)) return {};
  return {handler_raised, state};
}

}  // namespace gramspec
