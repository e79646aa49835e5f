// Python face of matching: the state of one sequence, masks of many, masks of a draft tree.
// Cost: a mask that is remembered 0.5 us, a token whose steps are known 0.15 us, the call included.
// Source: API, section 3.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "bindings.hpp"
#include "guarded.hpp"
#include "matching.hpp"
#include "pool.hpp"
#include "targets.hpp"

namespace gramspec {

namespace {

void check_cancelled(const PyCursor& c) {
  if (c.cancelled != nullptr && c.cancelled->load(std::memory_order_relaxed)) throw Cancelled{};
}

void place(PyCursor& c, nb::handle basis) {
  c.basis = nb::borrow(basis);
  c.core = basis.attr("core");
  c.engine = &nb::cast<Engine&>(c.core);
}

Id start(Engine& engine, Id expr) {
  return guarded(engine, [&] { return engine.configs.start(expr, Configs::kBottom); });
}

// The same sequence on another basis: every token is read again.
void move_to(PyCursor& c, nb::handle basis) {
  PyCursor moved;
  place(moved, basis);
  moved.config = start(*moved.engine, nb::cast<Id>(basis.attr("expr")));
  Engine& engine = *moved.engine;
  for (const Id token : c.history.tokens()) {
    const Id config = moved.config;
    moved.history.push(token, config);
    moved.config = engine.ends(token)
                       ? Cursor::kFinished
                       : guarded_long(engine, [&] { return engine.advance(config, token); }, c.cancelled);
  }
  c.history = std::move(moved.history);
  c.config = moved.config;
  c.basis = std::move(moved.basis);
  c.core = std::move(moved.core);
  c.engine = moved.engine;
}

// Call fn(engine, configuration); if the engine is full, once more in a fresh one.
template <class F>
auto ask(PyCursor& c, F&& fn) {
  for (bool moved = false;; moved = true) {
    try {
      const nb::object alive = c.core;
      Engine& engine = *c.engine;
      const Id config = c.config;
      return guarded_long(engine, [&] { return fn(engine, config); }, c.cancelled);
    } catch (const LimitExceeded& limit) {
      if (moved || !limit.full()) throw;
      const nb::object basis = c.basis.attr("fresh")();
      if (basis.is_none()) throw;
      move_to(c, basis);
    }
  }
}

bool accepting(PyCursor& c) {
  if (c.finished()) return false;
  if (const Masks::Known known = c.engine->masks.known(c.config); known != Masks::Known::kNo) {
    return known == Masks::Known::kAccepting;
  }
  return ask(c, [](Engine& e, Id config) { return e.configs.closed(config).accepts; });
}

}  // namespace

void fill_row(PyCursor& c, std::span<std::uint32_t> out) {
  check_cancelled(c);
  if (c.finished()) {
    std::fill(out.begin(), out.end(), 0U);
    return;
  }
  const Masks::Known known = c.engine->masks.copy(c.config, out);
  const bool ends = known == Masks::Known::kNo
                        ? ask(c, [&](Engine& e, Id config) { return e.fill(config, out); })
                        : known == Masks::Known::kAccepting;
  if (ends) c.engine->set_ends(out);
}

namespace {

void fill(PyCursor& c, nb::handle array, nb::handle row) {
  const Targets targets(array, c.engine->words(), c.engine->trie.vocabulary_size());
  const Py_ssize_t index = PyNumber_AsSsize_t(row.ptr(), nullptr);
  if (index == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  fill_row(c, targets.row(index));
}

// Read a token; false, and nothing changes, if it is not allowed.
bool read(PyCursor& c, Id token) {
  if (c.finished() || token < 0 || token >= c.engine->trie.vocabulary_size()) return false;
  check_cancelled(c);
  if (c.engine->ends(token)) {
    if (!accepting(c)) return false;
    c.history.push(token, c.config);
    c.config = Cursor::kFinished;
    return true;
  }
  Id next = kNone;
  if (c.engine->complete) {
    next = guarded(*c.engine, [&] { return c.engine->known_advance(c.config, token); });
  }
  if (next == kNone) next = ask(c, [&](Engine& e, Id config) { return e.read(config, token); });
  if (next == Configs::kDead) return false;
  c.history.push(token, c.config);
  c.config = next;
  return true;
}

void advance(PyCursor& c, nb::handle token) {
  if (!read(c, to_id(token))) {
    nb::find(c).attr("_reject")(token);
    throw std::logic_error("a token was refused without a reason");
  }
}

std::int64_t advance_many(PyCursor& c, const nb::iterable& tokens) {
  std::int64_t count = 0;
  for (const nb::handle token : tokens) {
    if (!read(c, to_id(token))) break;
    ++count;
  }
  return count;
}

void rollback(PyCursor& c, std::int64_t n) {
  if (n < 0 || n > c.history.length()) {
    throw nb::value_error(
        ("cannot roll back " + std::to_string(n) + " of " + std::to_string(c.history.length()) + " tokens")
            .c_str());
  }
  if (n > 0) c.config = c.history.pop(static_cast<Id>(n));
}

}  // namespace

std::vector<Id> to_ids(nb::handle numbers) {
  const nb::object items = nb::steal(PySequence_Fast(numbers.ptr(), "a sequence of integers is wanted"));
  if (!items.is_valid()) throw nb::python_error();
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(items.ptr());
  std::vector<Id> out;
  out.reserve(static_cast<std::size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) out.push_back(to_id(PySequence_Fast_GET_ITEM(items.ptr(), i)));
  return out;
}

namespace {

// -- draft trees ---------------------------------------------------------------------------------------

constexpr Id kNoState = -2;  // of a node that is not allowed

void fill_tree(PyCursor& c, nb::handle parents_given, nb::handle tokens_given, nb::handle array) {
  const nb::object items =
      nb::steal(PySequence_Fast(parents_given.ptr(), "parents are a sequence of integers"));
  if (!items.is_valid()) throw nb::python_error();
  const auto n = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(items.ptr()));
  std::vector<Id> parents;
  parents.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Py_ssize_t parent =
        PyNumber_AsSsize_t(PySequence_Fast_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(i)), nullptr);
    if (parent == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
    if (parent < -1 || parent >= static_cast<Py_ssize_t>(i)) {
      throw nb::value_error(
          ("parent " + std::to_string(parent) + " of node " + std::to_string(i) + " does not come before it")
              .c_str());
    }
    parents.push_back(static_cast<Id>(parent));
  }
  const std::vector<Id> tokens = to_ids(tokens_given);
  if (tokens.size() != n) {
    throw nb::value_error(
        (std::to_string(n) + " parents for " + std::to_string(tokens.size()) + " tokens").c_str());
  }
  const Targets targets(array, c.engine->words(), c.engine->trie.vocabulary_size());
  if (targets.rows() < static_cast<std::int64_t>(n) + 1) {
    throw nb::value_error(("a tree of " + std::to_string(n) + " nodes needs " + std::to_string(n + 1) +
                           " rows, not " + std::to_string(targets.rows()))
                              .c_str());
  }
  check_cancelled(c);
  const bool finished = c.finished();
  ask(c, [&](Engine& e, Id root) {
    std::vector<Id> states(n + 1, kNoState);
    std::vector<char> ends(n + 1, 0);
    for (std::size_t i = 0; i <= n; ++i) {
      if (i == 0) {
        states[0] = finished ? Cursor::kFinished : root;
      } else if (const auto above = static_cast<std::size_t>(parents[i - 1] + 1); states[above] >= 0) {
        const Id token = tokens[i - 1];
        if (token < 0 || token >= e.trie.vocabulary_size()) {
          states[i] = kNoState;
        } else if (e.ends(token)) {
          states[i] = ends[above] != 0 ? Cursor::kFinished : kNoState;
        } else if (const Id next = e.read(states[above], token); next != Configs::kDead) {
          states[i] = next;
        }
      }
      const std::span<std::uint32_t> out = targets.row(static_cast<std::int64_t>(i));
      if (states[i] < 0) {
        std::fill(out.begin(), out.end(), 0U);
        continue;
      }
      ends[i] = e.fill(states[i], out) ? 1 : 0;
      if (ends[i] != 0) e.set_ends(out);
    }
    return true;
  });
}

}  // namespace

void bind_matching(nb::module_& m) {
  nb::class_<CancelFlag>(
      m, "CancelToken",
      "A request, from any thread, to stop a compile or the calls of a matcher: what runs with the token "
      "raises\n"
      "`CancelledError` within milliseconds, and stays usable with another token or without one.")
      .def(nb::init<>())
      .def(
          "cancel", [](CancelFlag& flag) { flag.store(true, std::memory_order_relaxed); },
          "Ask for an end; it cannot be taken back.")
      .def_prop_ro(
          "cancelled", [](const CancelFlag& flag) { return flag.load(std::memory_order_relaxed); },
          "Whether an end has been asked for.");

  nb::class_<PyCursor>(m, "Cursor", "The state of one sequence.")
      .def("__init__", [](PyCursor* self, const PyCursor& other) { new (self) PyCursor(other); })
      .def(
          "__init__",
          [](PyCursor* self, const nb::object& basis, const nb::object& cancel, bool residual) {
            PyCursor fresh;
            place(fresh, basis);
            fresh.cancel = cancel;
            fresh.cancelled = cancel.is_none() ? nullptr : &nb::cast<CancelFlag&>(cancel);
            fresh.residual = residual;
            fresh.config = start(*fresh.engine, nb::cast<Id>(basis.attr("expr")));
            new (self) PyCursor(std::move(fresh));
          },
          nb::arg("basis"), nb::arg("cancel") = nb::none(), nb::arg("residual") = false)
      .def_prop_ro("_basis", [](const PyCursor& c) { return c.basis; })
      .def_prop_ro(
          "_config", [](const PyCursor& c) { return c.config; }, "Configuration of the engine, or -1.")
      .def_prop_ro("_length", [](const PyCursor& c) { return c.history.length(); })
      .def_prop_ro("_tokens", [](const PyCursor& c) { return c.history.tokens(); })
      .def("_move_to", [](PyCursor& c, const nb::object& basis) { move_to(c, basis); })
      .def("_finish",
           [](PyCursor& c, Id token) {
             c.history.push(token, c.config);
             c.config = Cursor::kFinished;
           })
      .def_prop_ro(
          "_ends", [](PyCursor& c) { return accepting(c); }, "Whether the automaton accepts.")
      .def_prop_ro(
          "is_accepting", [](PyCursor& c) { return accepting(c); },
          "Whether the text so far is a member, so that EOS is allowed.")
      .def_prop_ro(
          "is_finished", [](const PyCursor& c) { return c.finished(); }, "Whether EOS has been read.")
      .def_prop_ro(
          "mask_key",
          [](const PyCursor& c) {
            return c.finished() ? std::pair<std::int64_t, Id>(0, Cursor::kFinished)
                                : std::pair<std::int64_t, Id>(c.engine->serial, c.config);
          },
          "Equal keys, equal masks; the key of another mask is never the same in this process.")
      .def("fill_bitmask", &fill, nb::arg("array"), nb::arg("row") = 0,
           nb::sig("def fill_bitmask(self, array: object, row: int = 0) -> None"),
           R"(Write the mask of allowed tokens into one row of a packed array.

Parameters
----------
array : ndarray or torch.Tensor (CPU), int32, shape (rows, ceil(V / 32))
    Bit ``t % 32`` of word ``t // 32`` is set iff token ``t`` is allowed. The row is written in full.
row : int

Raises
------
ValueError
    If the array has another dtype, shape, or is not contiguous along the row.
LimitError
    If a limit is reached; the row may then hold anything.
CancelledError
    If the token given to `CompiledGrammar.matcher` has asked for an end.)")
      .def("fill_bitmask_tree", &fill_tree, nb::arg("parents"), nb::arg("tokens"), nb::arg("array"),
           nb::sig("def fill_bitmask_tree(self, parents: collections.abc.Sequence[int], tokens: "
                   "collections.abc.Sequence[int], array: "
                   "object) -> None"),
           R"(Masks after every node of a draft tree, in one call; the state is unchanged.

Parameters
----------
parents : sequence of int, length n
    Parent of each node, before it in the order; -1 for the current state.
tokens : sequence of int, length n
array : ndarray or torch.Tensor (CPU), int32, shape (at least n + 1, ceil(V / 32))
    Row 0: the current state; row i + 1: after node i, zero if node i is not allowed.)")
      .def("advance", &advance, nb::arg("token_id"), nb::sig("def advance(self, token_id: int) -> None"),
           R"(Read one token.

Raises
------
RejectedTokenError
    If the token is not allowed here; the matcher is unchanged.)")
      .def("advance_many", &advance_many, nb::arg("ids"),
           nb::sig("def advance_many(self, ids: collections.abc.Iterable[int]) -> int"),
           "Read tokens up to the first that is not allowed; return how many were read.")
      .def("rollback", &rollback, nb::arg("n"),
           "Take back the last `n` tokens, EOS counted; ValueError beyond the history.");

  m.def("fill_bitmasks", &fill_many, nb::arg("matchers"), nb::arg("array"), nb::arg("rows").none(),
        nb::arg("threads"),
        nb::sig("def fill_bitmasks(matchers: collections.abc.Sequence[Cursor], array: object, rows: "
                "collections.abc.Sequence[int] | None, threads: int) -> list[int]"));
  m.def("processors", &Pool::processors, "Threads that can run at once.");
}

}  // namespace gramspec
