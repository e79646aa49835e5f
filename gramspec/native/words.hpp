// How many words a regular expression has: none, a number, infinitely many; and how long the shortest are.
// Cost: one visit a derivative, remembered; a limit on the derivatives of one question.
// Source: counting paths of a deterministic automaton.
#pragma once

#include <unordered_map>
#include <vector>

#include "expr.hpp"

namespace gramspec {

inline constexpr std::int64_t kMany = std::int64_t{1} << 40;  // so many words are as good as infinitely many

class Words {
 public:
  explicit Words(Exprs& exprs) : exprs_(exprs) {}

  // Number of words of a regular expression without calls, at most kMany.
  std::int64_t count(Id e);
  bool infinite(Id e);
  // Whether every beginning of a word begins infinitely many; false also if that takes too many states.
  bool endless(Id e);
  // The shortest words: pairs (length, number of words of that length), ascending, until there are at
  // least `wanted` words or no more.
  struct Layer {
    std::int64_t length;
    std::int64_t words;
  };
  const std::vector<Layer>& shortest(Id e, std::int64_t wanted);

 private:
  struct Layers {
    std::vector<Layer> found;
    std::int64_t words = 0;
    std::int64_t length = 0;  // of the texts that lead to the frontier
    std::size_t steps = 0;
    std::unordered_map<Id, std::int64_t> frontier;  // derivative -> texts that lead to it
  };

  Exprs& exprs_;
  std::unordered_map<Id, std::int64_t> counts_;
  std::unordered_map<Id, bool> infinite_, endless_;
  std::unordered_map<Id, Layers> layers_;
};

}  // namespace gramspec
