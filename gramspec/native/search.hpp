// How many tokens to an ending: lower and upper bounds, and the exact value by bounded search.
// Law: viable() keeps a token iff (exact) or if (lower bound) the text can still end within the budget.
// Cost: a comparison when the budget is ample; a trie walk per state near its end.
// Source: laws, potential "Viability".
#pragma once

#include "rows.hpp"

namespace gramspec {

class Search {
 public:
  Search(const Bounds& bounds, const Trie& trie, Exprs& exprs, Objects& objects, Configs& configs,
         Rows& rows);

  // Mask of a configuration. complete: every byte the grammar uses is a token; otherwise each token
  // is kept only if some token sequence finishes the text after it.
  void mask(Id config, bool complete, std::span<std::uint32_t> out);
  // The same with at most `remaining` tokens in all, the token itself and EOS counted.
  void viable(Id config, bool complete, std::int64_t remaining, bool exact, std::span<std::uint32_t> out);
  // Fewest tokens to an ending, EOS not counted; `cap + 1` if more than `cap`.
  std::int64_t fewest_tokens(Id config, bool complete, std::int64_t cap);
  // Whether `cap` tokens are enough: cheaper than the fewest, because any short enough ending will do.
  bool within(Id config, bool complete, std::int64_t cap);
  // A lower bound on the same: bytes of a shortest completion over bytes of the longest token.
  std::int64_t fewest_tokens_bound(Id config) { return lower_bound(configs_, config); }
  // Whether some sequence of tokens finishes the text.
  bool token_live(Id config);
  // A shortest completion (bytes), at most `cap` bytes long; false if longer or through token edges.
  bool shortest_completion(Id config, std::size_t cap, std::string& out) {
    steps_ = 0;
    const Id entered = enter(config);  // may replace the pool
    return shortest_from(*scratch_, entered, cap, out);
  }

 private:
  // Runs of one expression from one trie node: at which nodes it can end.
  struct Run {
    std::vector<Id> exits;
    std::vector<std::pair<Id, std::pair<Id, Id>>> waiting;  // run, (continuation, key frame)
    std::map<std::pair<Id, std::pair<Id, Id>>, bool> seen;  // (expression, (key frame, node))
  };
  struct State {
    Id run, expr, key, node;
  };
  bool alive(Id config);
  void forget_runs();
  Id run_of(Id expr, Id key, Id node);
  void add_exit(Id run, Id node);
  void add_state(Id run, Id expr, Id key, Id node);
  void follow_call(const State& s, Id callee, Id cont);
  void saturate();
  bool stack_live(Id stack, Id node);
  bool has_ending(Id config);
  // Searches visit configurations that no text ever will: they live in a pool that can be dropped.
  Id enter(Id config);
  const std::vector<Id>& successors(Id config);
  std::int64_t fewest(Id config, bool complete, std::int64_t cap);
  std::int64_t segment(const std::string& text);
  std::int64_t upper_bound(Id config, bool complete);
  std::int64_t lower_bound(Configs& configs, Id config);
  bool shortest_from(Configs& configs, Id config, std::size_t cap, std::string& out);
  // Every token that some run survives, with its successor: visit(successor, tokens, bytes). merge:
  // keys that cannot clash are forgotten on the way. Returns the byte steps taken.
  template <class Visit>
  std::int64_t each_token(Configs& configs, Id config, bool merge, Visit&& visit);
  template <class Keep>
  void filter(Configs& configs, Id config, bool merge, std::span<std::uint32_t> out, Keep&& keep);
  void spend(std::int64_t steps);

  const Bounds bounds_;
  const Trie& trie_;
  Exprs& exprs_;
  Objects& objects_;
  Configs& configs_;
  Rows& rows_;
  std::unique_ptr<Configs> scratch_;
  std::unordered_map<Id, Id> imported_;
  std::deque<Run> runs_;
  std::map<std::pair<Id, std::pair<Id, Id>>, Id> run_index_;
  std::vector<State> todo_;
  bool forgot_keys_ = false;  // some run went on with a key's text forgotten
  std::int64_t run_states_ = 0;
  std::unordered_map<Id, bool> live_;
  std::map<std::pair<Id, Id>, bool> stack_live_;
  std::unordered_map<Id, std::vector<Id>> successors_;
  std::unordered_map<Id, std::int64_t> upper_;
  // Known facts of earlier searches: fewest tokens, or a bound that they exceed.
  std::unordered_map<Id, std::int64_t> fewest_, more_than_;
  std::int64_t steps_ = 0;
};

}  // namespace gramspec
