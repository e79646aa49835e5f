// One engine: a vocabulary with every expression, configuration and row met on it.
// Law: ids stay valid and mean the same for the life of the engine; nothing is evicted inside it. One thread
// at a time is inside: whoever calls a method of a part holds the gate. Source: architecture, "Token rows"
// (rows are shared by all grammars on a vocabulary).
#pragma once

#include <algorithm>
#include <functional>
#include <memory>

#include "fuel.hpp"
#include "gate.hpp"
#include "masks.hpp"
#include "search.hpp"

namespace gramspec {

class Engine {
 public:
  Engine(std::shared_ptr<const Trie> tokens, const Bounds& given, std::vector<Id> ends)
      : bounds(with_fuel(given, &fuel)),
        eos(std::move(ends)),
        shared_trie(std::move(tokens)),
        trie(*shared_trie),
        exprs(bounds),
        objects(exprs),
        configs(bounds, exprs, objects),
        rows(bounds, trie, exprs, objects, configs),
        search(bounds, trie, exprs, objects, configs, rows),
        masks(words(), bounds.max_cache_bytes) {
    exprs.attach(&objects);
    // Bytes of no token are taken out of every grammar; if all others are tokens on their own,
    // what can be finished in bytes can be finished in tokens.
    complete = trie.alphabet() == trie.single_bytes();
    if (complete) exprs.restrict(trie.alphabet());
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Successor after one token: through its bytes, through token edges, or both. Cost: its length.
  Id advance(Id config, Id token) {
    const std::string_view bytes = trie.token(token);
    const Id next = bytes.empty() ? Configs::kDead : advance_bytes(config, bytes);
    if (configs.closed(config).tokens.empty()) return next;
    return configs.join(next, configs.step_token(config, token));
  }

  Id advance_bytes(Id config, std::string_view bytes) {
    for (char c : bytes) {
      if (config == Configs::kDead) break;
      config = configs.step(config, static_cast<std::uint8_t>(c));
    }
    return config;
  }

  // Successor after one token if every step of it has been made before; kNone if not. Nothing is added.
  [[nodiscard]] Id known_advance(Id config, Id token) const noexcept {
    const std::string_view bytes = trie.token(token);
    if (bytes.empty() || configs.may_read_tokens(config)) return kNone;
    for (char c : bytes) {
      if (config == Configs::kDead || config == kNone) break;
      config = configs.known_step(config, static_cast<std::uint8_t>(c));
    }
    return config;
  }

  // Mask of a configuration, remembered from now on; the bits of EOS are left out. Whether the text may end.
  bool fill(Id config, std::span<std::uint32_t> out) {
    if (const Masks::Known known = masks.copy(config, out); known != Masks::Known::kNo) {
      return known == Masks::Known::kAccepting;
    }
    search.mask(config, complete, out);
    const bool accepting = configs.closed(config).accepts;
    std::size_t alike = 1;
    for (const Item& item : configs.entries(config)) alike = mix(alike, static_cast<std::size_t>(item.top));
    masks.store(config, alike, accepting, out);
    return accepting;
  }

  // Successor after a token other than EOS that some ending follows; kDead if there is none.
  Id read(Id config, Id token) {
    const Id next = advance(config, token);
    return next == Configs::kDead || complete || search.token_live(next) ? next : Configs::kDead;
  }

  [[nodiscard]] std::size_t words() const noexcept {
    return (static_cast<std::size_t>(trie.vocabulary_size()) + 31) / 32;
  }
  [[nodiscard]] bool ends(Id token) const noexcept {
    return std::find(eos.begin(), eos.end(), token) != eos.end();
  }
  void set_ends(std::span<std::uint32_t> out) const noexcept {
    for (Id token : eos) set_bit(out, token);
  }

  // A thread inside a call: on what terms it runs.
  class Inside {
   public:
    Inside(Engine& engine, const Fuel::Terms& terms, const Fuel::Signals& signals)
        : engine_(engine), call_(engine.fuel, terms, signals) {
      ++engine_.inside_;
    }
    ~Inside() {
      if (--engine_.inside_ == 0) engine_.look_how_full();
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Engine& engine_;
    const Fuel::Call call_;
  };
  // Python code that runs in the middle of a call of this thread (a signal handler) may not use the engine.
  void refuse_reentry() const {
    if (gate.mine() && inside_ > 0)
      throw std::logic_error("a signal handler may not use the grammar it interrupts");
  }

  Fuel fuel;
  const Bounds bounds;
  const std::vector<Id> eos;
  const std::shared_ptr<const Trie> shared_trie;
  const Trie& trie;
  Exprs exprs;
  Objects objects;
  Configs configs;
  Rows rows;
  Search search;
  Masks masks;
  std::atomic<bool> exhausted{false};  // half of what it may hold is used: the next grammar gets a fresh one
  const std::int64_t serial = next_serial();  // no other engine of this process has it
  bool complete = false;
  Gate gate;
  std::function<void(Id)> expander;  // loads the body of a rule; called with the GIL, without the gate

 private:
  void look_how_full() noexcept {
    if (rows.bytes() > bounds.max_row_bytes / 2 || exprs.size() > bounds.max_states / 2 ||
        configs.used() > bounds.max_configurations / 2) {
      exhausted.store(true, std::memory_order_relaxed);
    }
  }
  static std::int64_t next_serial() noexcept {
    static std::atomic<std::int64_t> last{0};
    return ++last;
  }
  static Bounds with_fuel(Bounds bounds, Fuel* fuel) {
    bounds.fuel = fuel;
    return bounds;
  }

  int inside_ = 0;  // only the holder of the gate looks at it
};

}  // namespace gramspec
