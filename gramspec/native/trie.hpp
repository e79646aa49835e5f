// The vocabulary as a flat byte trie in preorder; token ranks follow trie order.
// Law: the tokens below a node are one interval of ranks. Cost: one sort, 28 bytes a node.
// Source: architecture, "Token rows".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common.hpp"
#include "texts.hpp"

namespace gramspec {

class Trie {
 public:
  // tokens[id] empty: the id has no bytes (special, EOS, gap) and is not in the trie.
  explicit Trie(const std::vector<std::string>& tokens);

  [[nodiscard]] Id nodes() const noexcept { return static_cast<Id>(byte_.size()); }
  [[nodiscard]] std::uint8_t byte(Id node) const noexcept { return byte_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] Id end(Id node) const noexcept { return end_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] Id parent(Id node) const noexcept { return parent_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] Id depth(Id node) const noexcept { return depth_[static_cast<std::size_t>(node)]; }
  // Ids of the tokens spelled exactly by the path to a node.
  [[nodiscard]] std::span<const Id> tokens_at(Id node) const noexcept {
    const auto n = static_cast<std::size_t>(node);
    return {ids_.data() + begin_[n], static_cast<std::size_t>(begin_[n + 1] - begin_[n])};
  }
  // Ids of all tokens at or below a node: an interval of ranks.
  [[nodiscard]] std::span<const Id> tokens_below(Id node) const noexcept {
    const auto n = static_cast<std::size_t>(node);
    const auto e = static_cast<std::size_t>(end_[n]);
    return {ids_.data() + begin_[n], static_cast<std::size_t>(begin_[e] - begin_[n])};
  }
  [[nodiscard]] Id child(Id node, std::uint8_t byte) const noexcept;
  [[nodiscard]] std::string path(Id node) const;
  [[nodiscard]] std::string_view token(Id id) const noexcept { return tokens_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Id vocabulary_size() const noexcept { return static_cast<Id>(tokens_.size()); }
  // Bytes of the longest token.
  [[nodiscard]] Id longest() const noexcept { return longest_; }
  // Bytes that are tokens on their own, and bytes that occur in any token.
  [[nodiscard]] const ByteSet& single_bytes() const noexcept { return single_; }
  [[nodiscard]] const ByteSet& alphabet() const noexcept { return alphabet_; }

  // Plain text (see texts.hpp): kinds of the bytes strictly below a node, ...
  [[nodiscard]] std::uint64_t classes_below(Id node) const noexcept {
    return below_[static_cast<std::size_t>(node)];
  }
  // ... where a reader of plain text stands at a node, ...
  [[nodiscard]] Place place(Id node) const noexcept { return place_[static_cast<std::size_t>(node)]; }
  // ... how many characters the token of a rank begins (0: it is no plain text), and the tokens that are
  // some.
  [[nodiscard]] std::uint16_t characters(Id rank) const noexcept {
    return characters_[static_cast<std::size_t>(rank)];
  }
  [[nodiscard]] const Bits& texts() const noexcept { return texts_; }
  [[nodiscard]] std::uint16_t most_characters() const noexcept { return most_characters_; }
  // Their ranks, the most characters first.
  [[nodiscard]] const std::vector<Id>& longest_texts() const noexcept { return longest_texts_; }
  // Whether a token at or below a node may have more bytes than this.
  [[nodiscard]] bool longer_below(Id node, std::int64_t bytes) const noexcept {
    const std::uint16_t deepest = deepest_[static_cast<std::size_t>(node)];
    return deepest > bytes || deepest == kDeepest;
  }
  // Ranks: tokens in the order of the nodes.
  [[nodiscard]] Id ranks() const noexcept { return static_cast<Id>(ids_.size()); }
  [[nodiscard]] Id rank(Id node) const noexcept { return begin_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] Id token_of(Id rank) const noexcept { return ids_[static_cast<std::size_t>(rank)]; }

 private:
  void read_texts();

  std::vector<std::string> tokens_;
  std::vector<std::uint8_t> byte_;
  std::vector<Id> end_, parent_, depth_, begin_, ids_;
  std::vector<std::uint64_t> below_;
  std::vector<Place> place_;
  std::vector<std::uint16_t> characters_;
  std::vector<Id> longest_texts_;
  static constexpr std::uint16_t kDeepest = 0xFFFF;  // so deep or deeper
  std::vector<std::uint16_t> deepest_;
  Bits texts_;
  std::uint16_t most_characters_ = 0;
  ByteSet single_, alphabet_;
  Id longest_ = 0;
};

}  // namespace gramspec
