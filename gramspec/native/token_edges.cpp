// Token edges: one vocabulary token, or one out of a set, never spelled.
// Law: a set reads each of its tokens and nothing else; tokens of one class have the same successor.
// Cost: a set is bits over the vocabulary, kept once; a class is listed when it is asked for.
#include <algorithm>
#include <bit>

#include "config.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kTokenSets = 4096;  // different ones of an engine

using Bits = std::vector<std::uint32_t>;

bool has(const Bits& bits, Id token) noexcept {
  const auto word = static_cast<std::size_t>(token) >> 5;
  return word < bits.size() && (bits[word] >> (static_cast<unsigned>(token) & 31U) & 1U) != 0;
}

void take(Bits& bits, Id token) noexcept {
  const auto word = static_cast<std::size_t>(token) >> 5;
  if (word < bits.size()) bits[word] &= ~(1U << (static_cast<unsigned>(token) & 31U));
}

std::vector<Id> listed(const Bits& bits) {
  std::vector<Id> out;
  for (std::size_t w = 0; w < bits.size(); ++w) {
    for (std::uint32_t rest = bits[w]; rest != 0; rest &= rest - 1) {
      out.push_back(static_cast<Id>(w * 32 + static_cast<std::size_t>(std::countr_zero(rest))));
    }
  }
  return out;
}

bool any(const Bits& bits) noexcept {
  return std::ranges::any_of(bits, [](std::uint32_t word) { return word != 0; });
}
}  // namespace

Id Exprs::token(Id edge) { return make({Kind::kToken, edge}); }

Id Exprs::token_set(const Bits& bits) {
  std::size_t count = 0;
  for (const std::uint32_t word : bits) count += static_cast<std::size_t>(std::popcount(word));
  if (count == 0) return kEmptyId;
  if (count == 1) return token(listed(bits)[0]);
  const auto [it, fresh] = token_set_index_.try_emplace(bits, kNone);
  if (fresh) {
    if (token_sets_.size() == kTokenSets) {
      token_set_index_.erase(it);
      throw LimitExceeded("max_states", "more than " + std::to_string(kTokenSets) + " sets of tokens");
    }
    token_sets_.push_back(bits);
    it->second = kNone - static_cast<Id>(token_sets_.size());
  }
  return token(it->second);
}

bool Exprs::edge_has(Id edge, Id token) const noexcept {
  return edge < kNone ? has(edge_set(edge), token) : edge == token;
}

Id Configs::step_token(Id config, Id token) {
  Returned core;
  for (const auto& [edge, next] : closed(config).tokens) {
    if (exprs_.edge_has(edge, token)) canonical(next.top, next.stack, core);
  }
  return intern(std::move(core));
}

Id Configs::step_edge(Id config, Id edge) {
  Returned core;
  for (const auto& [other, next] : closed(config).tokens) {
    if (other == edge) canonical(next.top, next.stack, core);
  }
  return intern(std::move(core));
}

std::vector<Configs::TokenClass> Configs::token_classes(Id config) {
  std::vector<Id> edges;
  for (const auto& [edge, next] : closed(config).tokens) edges.push_back(edge);
  std::ranges::sort(edges);
  const auto repeated = std::ranges::unique(edges);
  edges.erase(repeated.begin(), repeated.end());
  const auto first_single = std::ranges::upper_bound(edges, kNone);
  // Sets first, cut up until a token of one part is in the same sets as the others; single tokens apart.
  std::vector<Bits> parts;
  for (auto edge = edges.begin(); edge != first_single; ++edge) {
    Bits rest = exprs_.edge_set(*edge);
    for (std::size_t i = 0, size = parts.size(); i < size; ++i) {
      Bits both(parts[i].size());
      for (std::size_t w = 0; w < both.size(); ++w) both[w] = parts[i][w] & rest[w];
      if (!any(both)) continue;
      for (std::size_t w = 0; w < both.size(); ++w) {
        parts[i][w] &= ~both[w];
        rest[w] &= ~both[w];
      }
      if (any(parts[i])) {
        parts.push_back(std::move(both));
      } else {
        parts[i] = std::move(both);
      }
    }
    if (any(rest)) parts.push_back(std::move(rest));
  }
  std::vector<TokenClass> out;
  for (auto edge = first_single; edge != edges.end(); ++edge) {
    for (Bits& part : parts) take(part, *edge);
    out.push_back({step_token(config, *edge), {*edge}});
  }
  for (const Bits& part : parts) {
    std::vector<Id> tokens = listed(part);
    if (!tokens.empty()) {
      const Id next = step_token(config, tokens[0]);
      out.push_back({next, std::move(tokens)});
    }
  }
  return out;
}

}  // namespace gramspec
