// Token rows: for a top state, which tokens stay above the unknown stack and which leave it.
// Law: a mask has bit t set iff some run of the automaton survives the bytes of t.
// Cost: a cold row is one trie walk (4 ns a node); a spliced or counted row touches what differs.
// Source: architecture, "Token rows".
#pragma once

#include <memory>
#include <span>
#include <unordered_set>

#include "config.hpp"
#include "trie.hpp"

namespace gramspec {

using Bits = std::vector<std::uint32_t>;

// Tokens of one top state over an unknown stack.
struct Row {
  Bits bits;       // by token id: some run is still above the unknown stack, or at its edge
  Id escapes = 0;  // list of trie nodes at which the unknown stack is reached (in preorder)
  std::int64_t furthest =
      0;                   // most bytes that a token of the row leaves to be written above the unknown stack
  std::int64_t count = 0;  // tokens in bits
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
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::int64_t cold_rows() const noexcept { return cold_; }
  [[nodiscard]] std::int64_t spliced_rows() const noexcept { return spliced_; }
  [[nodiscard]] std::int64_t counted_rows() const noexcept { return counted_; }
  // Off: every row by a full walk (for tests of equality).
  bool shortcuts = true;

 private:
  struct CountRow {                   // x* for a prefix-free x: tokens by how many x they begin
    std::vector<std::int32_t> begun;  // by token id; -1: not a run of x*
    std::vector<Bits> at_most;        // [r]: tokens that begin at most r
    std::int32_t most = 0;
    struct Exit {
      Id node;
      std::int32_t count;
    };
    std::array<std::vector<Exit>, 256>
        exits;  // nodes reached from a boundary by a byte that x cannot begin with
    ByteSet first;
    std::int64_t inside = 0;  // most bytes that an unfinished x still needs
  };
  const Row& row(Id top);
  bool counted_row(Id top, Row& out);
  bool loosened_row(Id top, Row& out);
  bool spliced_row(Id top, Row& out);
  void cold_row(Id top, Row& out);
  const CountRow* count_row(Id item);
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
  std::unordered_map<Id, std::unique_ptr<CountRow>> count_rows_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Finish>, HashPair> finishes_;
  std::deque<std::vector<Id>> node_lists_;
  std::unordered_map<std::vector<Id>, Id, HashIds> node_index_;
  std::unordered_map<std::uint64_t, KeyEnds, HashPair> key_ends_;
  std::map<std::array<Id, 3>, std::vector<Id>> group_ends_;
  std::vector<Id> references_;  // tops whose rows are wide
  std::size_t oldest_ = 0;      // the one to give way next
  std::int64_t steps_ = 0;
  std::int64_t bytes_ = 0;
  std::vector<Id> long_tokens_;  // the longest first; made when first needed
  std::int64_t cold_ = 0, spliced_ = 0, counted_ = 0;
};

}  // namespace gramspec
