// Masks of many sequences in one call.
// Law: the bits that each would get alone. Cost: 10 ns a sequence by the calling thread, before and after;
// the copies of remembered masks are shared out to all threads; the others are made by one thread an engine.
// Source: API, section 3 (`fill_bitmasks`).
#include <nanobind/nanobind.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "bindings.hpp"
#include "guarded.hpp"
#include "matching.hpp"
#include "pool.hpp"
#include "targets.hpp"

namespace gramspec {

namespace {

// A sequence as it was when the call began: others may read on meanwhile.
struct Text {
  Engine* engine;
  const CancelFlag* cancelled;
  std::int64_t row;
  Id config;
  bool done;
};

// A mask that is to be made.
struct Job {
  std::size_t number;
  Text text;
  std::span<std::uint32_t> out;
  bool again = false;          // by the calling thread: a rule is needed, or the engine is full
  std::exception_ptr error{};  // what stopped it
};

bool copy_known(const Text& text, std::span<std::uint32_t> out, Masks::Recent& recent) {
  if (text.cancelled != nullptr && text.cancelled->load(std::memory_order_relaxed)) return false;
  if (text.config == Cursor::kFinished) {
    std::fill(out.begin(), out.end(), 0U);
    return true;
  }
  const Masks::Known known = recent.copy(text.engine->masks, text.config, out);
  if (known == Masks::Known::kAccepting) text.engine->set_ends(out);
  return known != Masks::Known::kNo;
}

// A mask that is to be made; on any thread, without the GIL.
void make(Job& job, Masks::Recent& recent, const CancelFlag& stopped, const Fuel::Signals& asking,
          std::atomic<bool>& interrupted) {
  try {
    if (copy_known(job.text, job.out, recent)) return;
    Engine& engine = *job.text.engine;
    if (job.text.cancelled != nullptr && job.text.cancelled->load(std::memory_order_relaxed))
      throw Cancelled{};
    const std::lock_guard<Gate> held(engine.gate);
    Fuel::Terms terms = mask_terms(engine, job.text.cancelled);
    terms.stopped = &stopped;
    const Engine::Inside inside(engine, terms, asking);
    if (engine.fill(job.text.config, job.out)) engine.set_ends(job.out);
  } catch (const RuleNeeded&) {
    job.again = true;
  } catch (const LimitExceeded& limit) {
    job.again = limit.full();
    if (!job.again) job.error = std::current_exception();
  } catch (const Interrupted&) {
    interrupted.store(true);
  } catch (...) {
    job.error = std::current_exception();
  }
}

// Masks that are to be made, by engine: only one thread can be inside an engine at a time.
bool make_all(std::vector<Job>& jobs, int threads) {
  std::vector<std::vector<std::size_t>> groups;
  std::unordered_map<Engine*, std::size_t> group_of;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto [it, fresh] = group_of.try_emplace(jobs[i].text.engine, groups.size());
    if (fresh) groups.emplace_back();
    groups[it->second].push_back(i);
  }
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  CancelFlag stopped{false};
  std::atomic<bool> interrupted{false};
  for (const auto& [engine, group] : group_of) engine->refuse_reentry();
  const Released released;
  const Fuel::Signals asking = signals(released.state);
  Pool::shared().run(
      groups.size(), threads,
      [&](Pool::Work& work, std::size_t thread) {
        const bool mine = thread == 0;
        Masks::Recent recent;
        while (const auto g = work.claim(thread)) {
          for (const std::size_t i : groups[*g]) {
            if (interrupted.load(std::memory_order_relaxed)) return;
            make(jobs[i], recent, stopped, mine ? asking : Fuel::Signals{}, interrupted);
            if (interrupted.load(std::memory_order_relaxed)) stopped.store(true);
          }
        }
      },
      [&] {
        if (asking.raised != nullptr && !stopped.load() && asking.raised(asking.context)) {
          interrupted.store(true);
          stopped.store(true);
        }
      });
  return !interrupted.load();
}

// What stopped one of the masks, said of it by its number; the GIL is held.
[[noreturn]] void raise_of(std::size_t index, const std::exception_ptr& error) {
  const std::string who = "matcher " + std::to_string(index);
  try {
    std::rethrow_exception(error);
  } catch (const LimitExceeded& limit) {
    throw LimitExceeded(limit.limit, who + ": " + limit.what());
  } catch (const Cancelled&) {
    throw Cancelled{who};
  } catch (nb::python_error& raised) {
    raised.value().attr("add_note")(who + " of the batch");
    throw;
  }
}

}  // namespace

std::vector<std::size_t> fill_many(const nb::sequence& matchers, nb::handle array, nb::handle rows,
                                   int threads) {
  constexpr std::size_t kChunk = 8;
  constexpr std::size_t kFew = 16;  // masks that are not worth another thread
  // A tuple of its own: others may change theirs while the GIL is given up.
  const nb::object items = nb::steal(PySequence_Tuple(matchers.ptr()));
  if (!items.is_valid()) throw nb::python_error();
  const auto n = static_cast<std::size_t>(PyTuple_GET_SIZE(items.ptr()));
  std::vector<Id> places;
  bool apart = true;  // no row is written twice
  if (!rows.is_none()) {
    places = to_ids(rows);
    apart = std::unordered_set<Id>(places.begin(), places.end()).size() == places.size();
  }
  // Here and below no vector of what is filled in at once: clearing it first would cost as much again.
  const auto texts = std::make_unique_for_overwrite<Text[]>(n);
  std::vector<nb::object> alive;  // engines: a matcher may leave its own meanwhile
  std::vector<std::size_t> special;
  std::vector<std::size_t> other_width;
  const PyTypeObject* usual = nullptr;  // type of the last one: mostly they are of one type
  const auto cursor_of = [&](std::size_t i) {
    const nb::handle matcher = PyTuple_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(i));
    PyCursor* cursor = nullptr;
    if (Py_TYPE(matcher.ptr()) == usual && nb::inst_ready(matcher)) return nb::inst_ptr<PyCursor>(matcher);
    if (!nb::try_cast(matcher, cursor) || cursor == nullptr) {
      throw nb::type_error(("matcher " + std::to_string(i) + " is no gramspec.Matcher").c_str());
    }
    usual = Py_TYPE(matcher.ptr());
    return cursor;
  };
  for (std::size_t i = 0; i < n; ++i) {
    const PyCursor& c = *cursor_of(i);
    if (i == 0 || c.engine != texts[i - 1].engine) {
      alive.push_back(c.core);
      if (i > 0 && c.engine->words() != texts[0].engine->words()) other_width.push_back(i);
    }
    texts[i] = {c.engine, c.cancelled, static_cast<std::int64_t>(i), c.config, false};
    if (c.residual) special.push_back(i);
  }
  if (!rows.is_none() && places.size() != n) {
    throw nb::value_error(
        (std::to_string(places.size()) + " rows for " + std::to_string(n) + " matchers").c_str());
  }
  if (n == 0) return {};
  const std::size_t words = texts[0].engine->words();
  const Targets targets(array, words, texts[0].engine->trie.vocabulary_size());
  if (!other_width.empty()) {
    const std::size_t i = other_width.front();
    throw nb::value_error(("matcher " + std::to_string(i) + " has a vocabulary of " +
                           std::to_string(texts[i].engine->trie.vocabulary_size()) +
                           " tokens, which is another width than that of matcher 0")
                              .c_str());
  }
  for (std::size_t i = 0; i < places.size(); ++i) texts[i].row = places[i];
  if (places.empty()) {
    (void)targets.row(static_cast<std::int64_t>(n) - 1);  // refused before any is written
  } else {
    for (const Id place : places) (void)targets.row(place);
  }

  std::atomic<bool> all{apart};
  const auto copy_all = [&](Pool::Work& work, std::size_t thread) {
    Masks::Recent recent;
    while (const auto at = work.claim(thread)) {
      for (std::size_t i = *at * kChunk; i < std::min(n, (*at + 1) * kChunk); ++i) {
        texts[i].done = copy_known(texts[i], targets.row(texts[i].row), recent);
        if (!texts[i].done) all.store(false, std::memory_order_relaxed);
      }
    }
  };
  const std::size_t chunks = (n + kChunk - 1) / kChunk;
  if (!apart) {
    threads = 1;  // the last one to write a row wins, as in a loop
  } else if (n <= kFew || threads == 1) {
    Pool::Work work(chunks, 1);
    copy_all(work, 0);
  } else {
    const Released released;
    Pool::shared().run(chunks, threads, copy_all, [] {});
  }
  if (all.load()) return special;

  std::vector<Job> jobs;
  for (std::size_t i = 0; i < n; ++i) {
    if (!texts[i].done) jobs.push_back({i, texts[i], targets.row(texts[i].row)});
  }
  const bool shared = threads > 1;
  if (shared && !make_all(jobs, threads)) throw nb::python_error();
  // In order, by this thread: whatever needs Python, and everything where only one thread is asked for.
  const Job* first = nullptr;  // of those that were stopped
  for (Job& job : jobs) {
    if (!shared || job.again) {
      try {
        fill_row(*cursor_of(job.number), job.out);
      } catch (const nb::python_error& raised) {
        if (!raised.matches(PyExc_Exception)) throw;  // Ctrl-C
        job.error = std::current_exception();
      } catch (...) {
        job.error = std::current_exception();
      }
    }
    if (!job.error) continue;
    std::fill(job.out.begin(), job.out.end(), 0U);
    if (first == nullptr) first = &job;
  }
  if (first != nullptr) raise_of(first->number, first->error);
  return special;
}

}  // namespace gramspec
