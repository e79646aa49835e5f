// Token rows: for a top state, which tokens stay above the unknown stack and which leave it.
// Law: a mask has bit t set iff some run of the automaton survives the bytes of t.
// Cost: a row touches the nodes at which it differs from plain text; one that is never in step with it walks
// what it reads (5 ns a node).
// Source: architecture, "Token rows".
#pragma once

#include <memory>
#include <span>
#include <unordered_set>

#include "config.hpp"
#include "trie.hpp"

namespace gramspec {

// A set of tokens: a wide set shared with others (or none), tokens added to it and taken from it.
struct TokenSet {
  const Bits* base = nullptr;
  std::vector<Id> plus, minus;
};

// Tokens of one top state over an unknown stack.
struct Row {
  TokenSet tokens;  // some run is still above the unknown stack, or at its edge
  Id escapes = 0;   // list of trie nodes at which the unknown stack is reached (in preorder)
  std::int64_t furthest =
      0;  // at least the bytes that a token of the row leaves to be written above the unknown stack
};

// What a list of escapes becomes in a frame.
struct Finish {
  std::vector<Id> tokens;  // allowed by this frame
  Id escapes = 0;          // nodes at which this frame is left in turn
  std::int64_t furthest = 0;
};

class Rows {
 public:
  Rows(const Bounds& bounds, const Trie& trie, Exprs& exprs, Objects& objects, Configs& configs);

  // Bits of all tokens allowed in a configuration. Also an upper bound on the bytes an allowed token
  // leaves to an ending.
  void mask(Id config, std::span<std::uint32_t> out, std::int64_t& furthest);
  // The row of a configuration that has one state, as words; none if it has several. See stored_rows.cpp.
  std::vector<std::uint32_t> stored(Id config);
  // Takes over what `stored` gave for the same configuration on the same vocabulary; throws
  // std::invalid_argument if the words are no row. False: the row is known already.
  bool adopt(Id config, std::span<const std::uint32_t> words);
  // Makes the rows of the states that an expression begins with.
  void prepare(Id e);
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::int64_t cold_rows() const noexcept { return cold_; }
  [[nodiscard]] std::int64_t spliced_rows() const noexcept { return spliced_; }
  [[nodiscard]] std::int64_t counted_rows() const noexcept { return counted_; }
  // Off: every row by a full walk (for tests of equality).
  bool shortcuts = true;

 private:
  // What a walk finds: ranks whose tokens are in the row iff they are plain text, in order and not touching,
  // and tokens that are in it besides.
  struct Walked {
    std::vector<std::pair<Id, Id>> texts;
    std::vector<Id> tokens;
    void add_texts(Id from, Id to) {
      if (from == to) return;
      if (!texts.empty() && texts.back().second == from) {
        texts.back().second = to;
      } else {
        texts.emplace_back(from, to);
      }
    }
  };
  // x* for a prefix-free x: tokens by how many x they begin. What may also follow the last x begins with
  // some of the same bytes (in JSON text any character may be a backslash): these end the count.
  struct CountRow {
    struct Begun {
      Id token;
      std::int32_t count;
    };
    struct Exit {
      Id node;
      std::int32_t count;
    };
    std::vector<std::pair<Id, Id>> texts;  // as plain text, a character an x
    std::vector<Begun> tokens;             // besides
    // Nodes reached from a boundary by a byte that x does not begin with (here), by that byte.
    std::vector<Exit> exits;
    std::array<std::uint32_t, 257> exits_of{};
    std::int32_t most = 0;
    std::int64_t inside = 0;                             // most bytes that an unfinished x still needs
    std::unordered_map<std::int64_t, TokenSet> at_most;  // tokens that begin at most so many
  };
  const Row& row(Id top);
  bool counted_row(Id top, Row& out);
  bool loosened_row(Id top, Row& out);
  void walked_row(Id top, Row& out);
  void cold_row(Id top, Row& out);
  CountRow* count_row(Id item, const ByteSet& shared);
  void read_counts(Id item, const ByteSet& shared, CountRow& row);
  const TokenSet& at_most(CountRow& row, std::int64_t limit);
  // Plain texts of at most so many characters.
  const Bits& texts_of(std::int64_t characters);
  // The tokens found, `characters` at most in those that are plain text; kInfinite: any number.
  TokenSet token_set(const std::vector<std::pair<Id, Id>>& texts, std::vector<Id> tokens,
                     std::int64_t characters);
  // A set with a few more or fewer tokens.
  void settle(TokenSet& set);
  const Bits* keep_bits(Bits bits);
  // The loop of a configuration that has one state.
  const Loop* loop_of(Id config);
  const Finish& finish(Id escapes, Id frame);
  void finish_all(Id escapes, Id stack, std::span<std::uint32_t> out, std::int64_t& furthest);
  using Below = std::vector<std::pair<Id, Id>>;  // escapes, stack set
  // Escapes of an opening quote: the key, then what follows it.
  void finish_open(Id escapes, Id frame, Id below, std::span<std::uint32_t> out, std::int64_t& furthest,
                   Below& todo);
  // Escapes of a key whose text began at the nodes of `base` (at the root if that list is empty).
  void finish_key(Id escapes, Id base, Id frame, Id below, std::span<std::uint32_t> out,
                  std::int64_t& furthest, Below& todo);
  using KeyEnds = std::unordered_map<std::string, std::vector<Id>>;
  // Escapes of a key by the part of the key that they complete.
  const KeyEnds& key_ends(Id escapes, Id base);
  const std::vector<Id>& group_ends(Id escapes, Id base, Id rest);
  // Spelling from the last node of `base` above n (the root if the list is empty) to before the closing
  // quote.
  [[nodiscard]] std::string key_part(Id n, Id base) const;
  Id intern_nodes(std::vector<Id> nodes);
  [[nodiscard]] const std::vector<Id>& nodes(Id list) const noexcept {
    return node_lists_[static_cast<std::size_t>(list)];
  }
  void spend(std::int64_t steps);
  // Walk the strict descendants of `root` from `config`; report nodes with a live configuration.
  template <class Visit>
  void walk(Id root, Id config, Visit&& visit);
  void charge(std::int64_t bytes);

  const Bounds bounds_;
  const Trie& trie_;
  Exprs& exprs_;
  Objects& objects_;
  Configs& configs_;
  std::unordered_map<Id, std::unique_ptr<Row>> rows_;
  std::map<std::pair<Id, std::array<std::uint64_t, 4>>, std::unique_ptr<CountRow>> count_rows_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Finish>, HashPair> finishes_;
  std::deque<std::vector<Id>> node_lists_;
  std::unordered_map<std::vector<Id>, Id, HashIds> node_index_;
  std::unordered_map<std::uint64_t, KeyEnds, HashPair> key_ends_;
  std::map<std::array<Id, 3>, std::vector<Id>> group_ends_;
  std::deque<Bits> wide_;  // stable addresses
  std::map<std::int64_t, Bits> texts_at_most_;
  std::int64_t steps_ = 0;
  std::int64_t bytes_ = 0;
  Bits scratch_;
  std::int64_t cold_ = 0, spliced_ = 0, counted_ = 0;
};

// ---- walks -------------------------------------------------------------------------------------

template <class Visit>
void Rows::walk(Id root, Id config, Visit&& visit) {
  // Preorder with one configuration per depth; a dead node skips its subtree.
  const Id end = trie_.end(root);
  if (root + 1 == end) return;
  std::vector<Id> path(1, config);
  const Id base = trie_.depth(root);
  std::int64_t steps = 0;
  for (Id n = root + 1; n < end;) {
    const auto level = static_cast<std::size_t>(trie_.depth(n) - base);
    const Id next = configs_.step(path[level - 1], trie_.byte(n));
    ++steps;
    if (next == Configs::kDead) {
      n = trie_.end(n);
      continue;
    }
    if (path.size() <= level) path.resize(level + 1);
    path[level] = next;
    visit(n, next);
    ++n;
    if ((steps & 0xFFFF) == 0) spend(0x10000);
  }
  spend(steps & 0xFFFF);
}

void apply(const TokenSet& set, bool first, std::span<std::uint32_t> out, Bits& scratch);

}  // namespace gramspec
