// Rule groups: nullability, productivity and shortest members by fixpoint; left recursion removed.
// Law: the language of every rule is unchanged; afterwards no closure of calls is infinite.
// Source: Arden's lemma (A = A X | B has the least solution B X*), applied to a matrix of rules.
#include <algorithm>

#include "expr.hpp"
#include "fuel.hpp"
#include "object.hpp"

namespace gramspec {

void Exprs::fixpoints(const std::vector<Id>& group) {
  // Reverse creation order: front ends create callers before callees, so most groups settle in two passes.
  for (bool changed = true; changed;) {
    changed = false;
    pass_flags_.clear();
    for (auto it = group.rbegin(); it != group.rend(); ++it) {
      tick(bounds_, 16);
      Rule& r = rule(*it);
      if (!r.nullable && nullable(r.body)) {
        r.nullable = changed = true;
      }
    }
  }
  pass_flags_.clear();
  for (bool changed = true; changed;) {
    changed = false;
    pass_lengths_.clear();
    non_empty_lengths_.clear();
    if (objects_ != nullptr) objects_->forget_pass();
    for (auto it = group.rbegin(); it != group.rend(); ++it) {
      tick(bounds_, 16);
      Rule& r = rule(*it);
      const std::int64_t length = shortest(r.body);
      const std::int64_t non_empty = shortest_non_empty(r.body);
      if (length < r.shortest || non_empty < r.shortest_non_empty) {
        r.shortest = std::min(length, r.shortest);
        r.shortest_non_empty = std::min(non_empty, r.shortest_non_empty);
        changed = true;
      }
    }
  }
  pass_lengths_.clear();
  non_empty_lengths_.clear();
  if (objects_ != nullptr) objects_->forget_pass();
}

void Exprs::finalise(const std::vector<Id>& group) {
  fixpoints(group);
  pending_ = false;
  remove_left_recursion(group);
}

Id Exprs::lead_rule(Id callee) const {
  const Node& n = node(callee);
  if (n.kind == Kind::kRule) return n.a;
  if (n.kind == Kind::kNonNull && node(n.a).kind == Kind::kRule) return node(n.a).a;
  return kNone;
}

void Exprs::remove_left_recursion(const std::vector<Id>& group) {
  // leads[r]: rules that r may begin with, before a byte is read, and what then follows.
  std::unordered_map<Id, std::vector<std::pair<Id, Id>>> leads;
  for (Id r : group) {
    if (rule(r).shortest >= kUnreachable) continue;
    std::vector<std::pair<Id, Id>>& out = leads[r];
    for (const auto& [callee, cont] : head(non_null(rule(r).body)).calls) {
      if (const Id q = lead_rule(callee); q != kNone) out.emplace_back(q, cont);
    }
  }
  // Tarjan's strongly connected components, iterative.
  std::unordered_map<Id, int> order, low;
  std::unordered_map<Id, bool> on_stack;
  std::vector<Id> stack;
  std::vector<std::vector<Id>> components;
  int counter = 0;
  for (Id start : group) {
    if (!leads.contains(start) || order.contains(start)) continue;
    std::vector<std::pair<Id, std::size_t>> work{{start, 0}};
    while (!work.empty()) {
      auto& [v, next] = work.back();
      if (next == 0) {
        order[v] = low[v] = counter++;
        stack.push_back(v);
        on_stack[v] = true;
      }
      const auto& edges = leads[v];
      bool descended = false;
      while (next < edges.size()) {
        const Id w = edges[next++].first;
        if (!leads.contains(w)) continue;
        if (!order.contains(w)) {
          work.emplace_back(w, 0);
          descended = true;
          break;
        }
        if (on_stack[w]) low[v] = std::min(low[v], order[w]);
      }
      if (descended) continue;
      const Id done = v;
      if (low[done] == order[done]) {
        components.emplace_back();
        Id w = kNone;
        do {
          w = stack.back();
          stack.pop_back();
          on_stack[w] = false;
          components.back().push_back(w);
        } while (w != done);
      }
      work.pop_back();
      if (!work.empty()) low[work.back().first] = std::min(low[work.back().first], low[done]);
    }
  }
  std::vector<Id> fresh;
  for (const std::vector<Id>& component : components) {
    std::unordered_map<Id, std::size_t> at;
    for (std::size_t i = 0; i < component.size(); ++i) at[component[i]] = i;
    bool recursive = false;
    for (Id r : component) {
      for (const auto& [q, cont] : leads[r]) recursive = recursive || (at.contains(q) && cont != kEpsilonId);
    }
    if (!recursive) continue;
    const std::size_t n = component.size();
    if (n > 64) throw LimitExceeded("max_states", "more than 64 rules are left-recursive through each other");
    // A_i = sum_j A_j X_ij + B_i, all without the empty string.
    std::vector<std::vector<std::vector<Id>>> x(n, std::vector<std::vector<Id>>(n));
    std::vector<Id> b(n);
    for (std::size_t i = 0; i < n; ++i) {
      const Head h = head(non_null(rule(component[i]).body));
      std::vector<Id> rest;
      for (const Arc& arc : h.arcs) {
        ByteSet set;
        for (int c = arc.lo; c <= arc.hi; ++c) set.set(static_cast<unsigned>(c));
        rest.push_back(concat(bytes(set), arc.target));
      }
      for (const auto& [t, cont] : h.tokens) rest.push_back(concat(token(t), cont));
      for (const auto& [callee, cont] : h.calls) {
        const Id q = lead_rule(callee);
        if (q != kNone && at.contains(q)) {
          x[i][at[q]].push_back(cont);
        } else {
          rest.push_back(concat(callee, cont));
        }
      }
      b[i] = union_of(std::move(rest));
    }
    // Y_ji is entry (j, i) of X*: what may follow B_j on the way up to A_i; made when first needed.
    std::unordered_map<std::size_t, Id> y;
    std::vector<std::pair<std::size_t, std::size_t>> todo;
    const auto star = [&](std::size_t j, std::size_t i) {
      const auto [it, is_new] = y.try_emplace(j * n + i, kNone);
      if (is_new) {
        it->second = new_rule("left recursion of " + rule(component[i]).name);
        fresh.push_back(it->second);
        todo.emplace_back(j, i);
      }
      return rule_expr(it->second);
    };
    std::vector<Id> bodies(n);
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<Id> alternatives;
      if (rule(component[i]).nullable) alternatives.push_back(kEpsilonId);
      for (std::size_t j = 0; j < n; ++j) {
        if (b[j] != kEmptyId) alternatives.push_back(concat(b[j], star(j, i)));
      }
      bodies[i] = union_of(std::move(alternatives));
    }
    while (!todo.empty()) {
      const auto [j, i] = todo.back();
      todo.pop_back();
      std::vector<Id> alternatives;
      if (i == j) alternatives.push_back(kEpsilonId);
      for (std::size_t k = 0; k < n; ++k) {
        // A_k begins with A_j and goes on with X_kj.
        if (!x[k][j].empty()) alternatives.push_back(concat(union_of(x[k][j]), star(k, i)));
      }
      set_body(y[j * n + i], union_of(std::move(alternatives)));
    }
    for (std::size_t i = 0; i < n; ++i) set_body(component[i], bodies[i]);
  }
  if (!fresh.empty()) {
    fixpoints(fresh);
    pending_ = false;
  }
}

}  // namespace gramspec
