// The vocabulary as a flat byte trie in preorder; token ranks follow trie order.
// Law: the tokens below a node are one interval of ranks. Cost: one sort, 16 bytes a node.
// Source: architecture, "Token rows".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common.hpp"

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

 private:
  std::vector<std::string> tokens_;
  std::vector<std::uint8_t> byte_;
  std::vector<Id> end_, parent_, depth_, begin_, ids_;
  ByteSet single_, alphabet_;
  Id longest_ = 0;
};

}  // namespace gramspec
