// One engine: a vocabulary with every expression, configuration and row met on it.
// Law: ids stay valid and mean the same for the life of the engine; nothing is evicted inside it. One thread
// at a time is inside: whoever calls a method of a part holds the gate. Source: architecture, "Token rows"
// (rows are shared by all grammars on a vocabulary).
#pragma once

#include <functional>

#include "fuel.hpp"
#include "gate.hpp"
#include "search.hpp"

namespace gramspec {

class Engine {
 public:
  Engine(const std::vector<std::string>& tokens, const Bounds& given)
      : bounds(with_fuel(given, &fuel)),
        trie(tokens),
        exprs(bounds),
        objects(exprs),
        configs(bounds, exprs, objects),
        rows(bounds, trie, exprs, objects, configs),
        search(bounds, trie, exprs, objects, configs, rows) {
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

  // A thread inside a call: on what terms it runs.
  class Inside {
   public:
    Inside(Engine& engine, const Fuel::Terms& terms, const Fuel::Signals& signals)
        : engine_(engine), call_(engine.fuel, terms, signals) {
      ++engine_.inside_;
    }
    ~Inside() { --engine_.inside_; }
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
  Trie trie;
  Exprs exprs;
  Objects objects;
  Configs configs;
  Rows rows;
  Search search;
  bool complete = false;
  Gate gate;
  std::function<void(Id)> expander;  // loads the body of a rule; called with the GIL, without the gate

 private:
  static Bounds with_fuel(Bounds bounds, Fuel* fuel) {
    bounds.fuel = fuel;
    return bounds;
  }

  int inside_ = 0;  // only the holder of the gate looks at it
};

}  // namespace gramspec
