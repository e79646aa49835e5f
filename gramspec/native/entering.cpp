// Entering rules and returning from them without reading: what a configuration is made of.
// Law: an expression waits once, with all its stacks, so that what begins or ends alike is followed once;
// first come, first served, as an order by depth would follow what lies below again for every way to it. What
// waits is on a list: calls nest as deep as rules and stacks do. Source: GLR graph-structured stacks.
#include <algorithm>

#include "config.hpp"
#include "fuel.hpp"

namespace gramspec {

// Whether an expression does nothing but push a frame: a call or a key, or a rule with a rest.
// (A rule without a rest pushes nothing; following it here could go round a cycle of unit rules.)
bool Configs::enters(Id e) {
  const Node& n = exprs_.node(e);
  if (n.kind == Kind::kConcat) {
    const Kind first = exprs_.node(n.a).kind;
    const bool frame =
        first == Kind::kRule || first == Kind::kCall || first == Kind::kObject || first == Kind::kKeyOpen;
    return frame && !exprs_.nullable(n.a);
  }
  return n.kind == Kind::kCall || n.kind == Kind::kObject || n.kind == Kind::kKeyOpen;
}

void Agenda::add(Id e, Id s) {
  const auto place = [&]() -> std::size_t {
    if (all.size() <= kFew) {
      for (std::size_t i = all.size(); i > 0; --i) {
        if (all[i - 1].top == e) return i - 1;
      }
      return all.size();
    }
    for (; indexed < all.size(); ++indexed) at.emplace(all[indexed].top, indexed);
    const auto it = at.find(e);
    return it == at.end() ? all.size() : it->second;
  }();
  if (place == all.size()) {
    all.push_back({e, s, {}, false});
    order.push_back(place);
    return;
  }
  Waiting& known = all[place];
  if (known.stack == s) return;
  if (known.done && known.more.empty()) order.push_back(place);
  known.more.push_back(s);
}

bool Configs::next(Agenda& agenda, Item& out) {
  while (agenda.served < agenda.order.size()) {
    tick(bounds_);
    Agenda::Waiting& one = agenda.all[agenda.order[agenda.served++]];
    Id stack = one.stack;
    if (!one.more.empty()) {
      one.more.push_back(stack);
      stack = unite_all(one.more);
      one.more.clear();
    }
    if (one.done && stack == one.stack) continue;
    one.stack = stack;
    one.done = true;
    out = {one.top, stack};
    return true;
  }
  return false;
}

void Configs::canonical(Id e, Id s, Returned& out) {
  Agenda waiting;
  follow(e, s, out, waiting);
  drain(waiting, out);
}

void Configs::drain(Agenda& waiting, Returned& out) {
  for (Item item; next(waiting, item);) follow(item.top, item.stack, out, waiting);
}

void Configs::follow(Id e, Id s, Returned& out, Agenda& waiting) {
  std::vector<Id> visited;  // rules followed since the last push
  for (;;) {
    const Node n = exprs_.node(e);
    switch (n.kind) {
      case Kind::kEmpty:
        return;
      case Kind::kEpsilon: {
        const StackSet& set = stack(s);
        if (set.frames.size() != 1 || set.has_key) {
          open(s, out, waiting);
          return;
        }
        out.bottom = out.bottom || set.bottom;
        out.unknown = out.unknown || set.unknown;
        const auto [frame, below] = set.frames.front();
        e = frame;
        s = below;
        visited.clear();
        continue;
      }
      case Kind::kRule:
        // Rules that are each other's alternatives: the second visit with the same stack adds nothing.
        if (std::find(visited.begin(), visited.end(), n.a) != visited.end()) return;
        visited.push_back(n.a);
        e = exprs_.body(n.a);
        continue;
      case Kind::kCall:
        e = n.a;
        continue;
      case Kind::kNonNull:
        if (exprs_.node(n.a).kind == Kind::kRule) {
          e = exprs_.non_null(exprs_.body(exprs_.node(n.a).a));
          continue;
        }
        break;
      case Kind::kObject: {
        const Objects::Parts parts = objects_.parts(n.a, n.b == 1);
        waiting.add(parts.close, s);
        if (parts.open == Exprs::kEmptyId) return;
        s = push(exprs_.make({Kind::kKeyOpen, n.a}), s);
        visited.clear();
        e = parts.open;
        continue;
      }
      case Kind::kKeyOpen:
        // The key's text lives in the frame, so that the row of the key's characters is shared.
        s = push(objects_.key_frame(n.a, 0), s);
        e = objects_.key_language(n.a);
        continue;
      case Kind::kUnion: {
        // Alternatives that only enter a frame are items of their own: their tops are shared.
        const std::vector<Id>& all = exprs_.members(e);
        if (std::none_of(all.begin(), all.end(), [&](Id x) { return enters(x); })) break;
        std::vector<Id> rest;
        for (Id x : std::vector<Id>(all)) {
          if (!enters(x)) {
            rest.push_back(x);
          } else if (exprs_.live(x)) {
            waiting.add(x, s);
          }
        }
        e = exprs_.union_of(std::move(rest));
        continue;
      }
      case Kind::kConcat: {
        if (enters(e)) {
          // Behind a list, what is called there waits for all its returns.
          s = push(n.b, s);
          visited.clear();
          e = n.a;
          if (!waiting.all.empty()) {
            waiting.add(e, s);
            return;
          }
          continue;
        }
        break;
      }
      default:
        break;
    }
    out.items.push_back({e, s});
    return;
  }
}

void Configs::pop(Id s, Returned& out) {
  Agenda waiting;
  open(s, out, waiting);
  drain(waiting, out);
}

void Configs::open(Id s, Returned& out, Agenda& waiting) {
  const StackSet& set = stack(s);
  out.bottom = out.bottom || set.bottom;
  out.unknown = out.unknown || set.unknown;
  for (const auto& [frame, below] : set.frames) {
    if (exprs_.node(frame).kind == Kind::kKeyFrame) {
      for (const Objects::Resolved& r : objects_.resolve(frame)) {
        waiting.add(r.head, push(r.tail, below));
      }
    } else {
      waiting.add(frame, below);
    }
  }
}

// The usual state: nothing may be empty and nothing is entered, so that what reads is the core as it is.
bool Configs::close_plainly(Config& c) {
  ByteSet live;
  for (const Item& item : c.core) {
    if (exprs_.nullable(item.top)) return false;
    const Head& h = exprs_.head(item.top);
    if (!h.calls.empty() || !h.tokens.empty() || h.arcs.empty()) return false;
    for (const Arc& arc : h.arcs) {
      for (unsigned b = arc.lo; b <= arc.hi; ++b) live.set(b);
    }
  }
  c.accepts = c.core_accept;
  c.escapes = c.core_escape;
  c.live = live;
  c.plain = true;
  c.closed = true;
  return true;
}

void Configs::close(Config& c) {
  if (close_plainly(c)) return;
  const auto absorb = [&](Agenda& agenda, const Returned& r) {
    c.accepts = c.accepts || r.bottom;
    c.escapes = c.escapes || r.unknown;
    for (const Item& item : r.items) agenda.add(item.top, item.stack);
  };
  const auto found = [](const Agenda& agenda) {
    std::vector<Item> items;
    for (const Agenda::Waiting& one : agenda.all) items.push_back({one.top, one.stack});
    std::sort(items.begin(), items.end());
    return items;
  };
  c.accepts = c.core_accept;
  c.escapes = c.core_escape;
  // Zero-length returns first: they lead to the items that the top of the stack is made of.
  Agenda returns;
  for (const Item& item : c.core) returns.add(item.top, item.stack);
  for (Item item; next(returns, item);) {
    if (!exprs_.nullable(item.top)) continue;
    Returned r;
    pop(item.stack, r);
    absorb(returns, r);
  }
  // Filled when all is known: a limit reached on the way leaves the configuration open.
  std::vector<Item> entered = found(returns), items;
  std::vector<std::pair<Id, Item>> tokens;
  // Then calls, until nothing is added. Callees never match the empty string, so nothing returns here.
  Agenda calls;
  for (const Item& item : entered) calls.add(item.top, item.stack);
  for (Item item; next(calls, item);) {
    const Head& h = exprs_.head(item.top);
    for (const auto& [callee, cont] : h.calls) {
      Returned r;
      canonical(callee, push(cont, item.stack), r);
      absorb(calls, r);
    }
  }
  for (const auto& [top, s] : found(calls)) {
    const Head& h = exprs_.head(top);
    if (!h.arcs.empty()) items.push_back({top, s});
    for (const Arc& arc : h.arcs) {
      for (int b = arc.lo; b <= arc.hi; ++b) c.live.set(static_cast<unsigned>(b));
    }
    for (const auto& [token, cont] : h.tokens) tokens.push_back({token, {cont, s}});
  }
  count(entered.size() + items.size() + tokens.size());
  c.entries = std::move(entered);
  c.items = std::move(items);
  c.tokens = std::move(tokens);
  c.closed = true;
}

}  // namespace gramspec
