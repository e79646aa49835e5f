#include "config.hpp"

#include <algorithm>

#include "fuel.hpp"

namespace gramspec {

Configs::Configs(const Bounds& bounds, Exprs& exprs, Objects& objects)
    : bounds_(bounds), exprs_(exprs), objects_(objects) {
  StackSet bottom;
  bottom.bottom = true;
  intern_stack(std::move(bottom));
  StackSet unknown;
  unknown.unknown = true;
  intern_stack(std::move(unknown));
  intern({});  // the dead configuration
}

Id Configs::intern_stack(StackSet s) {
  tick(bounds_);
  std::size_t hash = (s.bottom ? 1U : 0U) | (s.unknown ? 2U : 0U);
  for (const auto& [frame, below] : s.frames) {
    hash = mix(hash, pair_key(frame, below));
    s.has_key = s.has_key || exprs_.node(frame).kind == Kind::kKeyFrame;
    s.depth = std::max(s.depth, stack(below).depth + 1);
  }
  const Id known = stack_index_.find(hash, [&](Id id) {
    const StackSet& other = stack(id);
    return other.bottom == s.bottom && other.unknown == s.unknown && other.frames == s.frames;
  });
  if (known != kNone) return known;
  if (s.depth > bounds_.max_stack_depth) {
    throw LimitExceeded("max_stack_depth",
                        "more than " + std::to_string(bounds_.max_stack_depth) + " open frames");
  }
  if (static_cast<std::int64_t>(stacks_.size()) >= 4 * bounds_.max_configurations) {
    throw LimitExceeded("max_configurations", "too many different stacks");
  }
  const auto id = static_cast<Id>(stacks_.size());
  stack_index_.reserve();
  stack_shortest_.push_back(-1);
  stack_longest_.push_back(-1);
  stacks_.push_back(std::move(s));
  stack_index_.add(hash, id);
  return id;
}

Id Configs::push(Id frame, Id below) {
  if (frame == Exprs::kEpsilonId) return below;  // tail call
  StackSet s;
  s.frames.emplace_back(frame, below);
  return intern_stack(std::move(s));
}

Id Configs::united(Id a, Id b) const {
  if (a == b) return a;
  return unions_.find(pair_key(std::min(a, b), std::max(a, b)));  // kNone: not yet
}

Id Configs::unite(Id a, Id b) {
  if (const Id known = united(a, b); known != kNone) return known;
  // What lies below comes first, on a list of our own: stacks are deeper than the stack of a thread.
  std::vector<std::pair<Id, Id>> waiting{{a, b}};
  while (!waiting.empty()) {
    const auto [one, other] = waiting.back();
    if (united(one, other) != kNone) {
      waiting.pop_back();
      continue;
    }
    const StackSet& x = stack(one);
    const StackSet& y = stack(other);
    StackSet s;
    s.bottom = x.bottom || y.bottom;
    s.unknown = x.unknown || y.unknown;
    bool ready = true;
    auto i = x.frames.begin();
    auto j = y.frames.begin();
    while (i != x.frames.end() || j != y.frames.end()) {
      if (j == y.frames.end() || (i != x.frames.end() && i->first < j->first)) {
        s.frames.push_back(*i++);
      } else if (i == x.frames.end() || j->first < i->first) {
        s.frames.push_back(*j++);
      } else {
        const Id below = united(i->second, j->second);
        if (below == kNone) {
          waiting.emplace_back(i->second, j->second);
          ready = false;
        }
        s.frames.emplace_back(i->first, below);
        ++i;
        ++j;
      }
    }
    if (!ready) continue;
    waiting.pop_back();
    const Id result = intern_stack(std::move(s));
    unions_.set(pair_key(std::min(one, other), std::max(one, other)), result);
  }
  return united(a, b);
}

// Keys being written remember the byte just read.
Id Configs::capture(Id s, std::uint8_t byte) {
  const std::uint64_t key = pair_key(s, byte);
  if (const Id known = captures_.find(key); known != kNone) return known;
  StackSet out = stack(s);
  out.has_key = false;
  std::vector<std::pair<Id, Id>> frames;
  for (const auto& [frame, below] : out.frames) {
    frames.emplace_back(exprs_.node(frame).kind == Kind::kKeyFrame ? objects_.append(frame, byte) : frame,
                        below);
  }
  std::sort(frames.begin(), frames.end());
  out.frames = std::move(frames);
  const Id result = intern_stack(std::move(out));
  captures_.set(key, result);
  return result;
}

Id Configs::relax_stack(Id s) {
  if (!stack(s).has_key) return s;
  if (const auto it = relaxed_stacks_.find(s); it != relaxed_stacks_.end()) return it->second;
  StackSet out = stack(s);
  std::map<Id, Id> frames;
  for (const auto& [frame, below] : out.frames) {
    const Id f = exprs_.node(frame).kind == Kind::kKeyFrame ? objects_.relax(frame) : frame;
    const auto [it, fresh] = frames.try_emplace(f, below);
    if (!fresh) it->second = unite(it->second, below);
  }
  out.has_key = false;
  out.frames.assign(frames.begin(), frames.end());
  return relaxed_stacks_[s] = intern_stack(std::move(out));
}

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

void Configs::canonical(Id e, Id s, Returned& out) {
  std::vector<Id> visited;  // rules followed since the last push
  for (;;) {
    const Node n = exprs_.node(e);
    switch (n.kind) {
      case Kind::kEmpty:
        return;
      case Kind::kEpsilon:
        pop(s, out);
        return;
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
        canonical(parts.close, s, out);
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
          if (enters(x)) {
            if (exprs_.live(x)) canonical(x, s, out);
          } else {
            rest.push_back(x);
          }
        }
        e = exprs_.union_of(std::move(rest));
        continue;
      }
      case Kind::kConcat: {
        if (enters(e)) {
          s = push(n.b, s);
          visited.clear();
          e = n.a;
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
  const StackSet& set = stack(s);
  out.bottom = out.bottom || set.bottom;
  out.unknown = out.unknown || set.unknown;
  for (const auto& [frame, below] : set.frames) {
    if (exprs_.node(frame).kind == Kind::kKeyFrame) {
      for (const Objects::Resolved& r : objects_.resolve(frame)) canonical(r.head, push(r.tail, below), out);
    } else {
      canonical(frame, below, out);
    }
  }
}

void Configs::merge(std::vector<Item>& items) {
  std::sort(items.begin(), items.end());
  std::size_t kept = 0;
  for (const Item& item : items) {
    if (kept > 0 && items[kept - 1].top == item.top) {
      items[kept - 1].stack = unite(items[kept - 1].stack, item.stack);
    } else {
      items[kept++] = item;
    }
  }
  items.resize(kept);
}

Id Configs::intern(Returned&& core) {
  tick(bounds_);
  merge(core.items);
  std::size_t hash = (core.bottom ? 1U : 0U) | (core.unknown ? 2U : 0U);
  for (const Item& item : core.items) hash = mix(hash, pair_key(item.top, item.stack));
  const Id known = index_.find(hash, [&](Id id) {
    const Config& c = configs_[static_cast<std::size_t>(id)];
    return c.core_accept == core.bottom && c.core_escape == core.unknown && c.core == core.items;
  });
  if (known != kNone) return known;
  if (size() >= bounds_.max_configurations) {
    throw LimitExceeded(
        "max_configurations",
        "matching needs more than " + std::to_string(bounds_.max_configurations) + " configurations");
  }
  const auto id = static_cast<Id>(configs_.size());
  index_.reserve();
  Config& c = configs_.emplace_back();
  c.core = std::move(core.items);
  c.core_accept = core.bottom;
  c.core_escape = core.unknown;
  index_.add(hash, id);
  return id;
}

Id Configs::start(Id e, Id s) {
  if (!exprs_.live(e)) return kDead;
  Returned core;
  canonical(e, s, core);
  return intern(std::move(core));
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
  // Zero-length returns first: they lead to the items that the top of the stack is made of.
  std::map<Id, Id> entries;  // top -> stack set already handled
  const auto absorb = [&](std::map<Id, Id>& seen, std::vector<Item>& todo, Returned& r) {
    c.accepts = c.accepts || r.bottom;
    c.escapes = c.escapes || r.unknown;
    for (const Item& item : r.items) {
      const auto [it, fresh] = seen.try_emplace(item.top, item.stack);
      const Id united = fresh ? item.stack : unite(it->second, item.stack);
      if (!fresh && united == it->second) continue;
      it->second = united;
      todo.push_back({item.top, united});
    }
  };
  c.accepts = c.core_accept;
  c.escapes = c.core_escape;
  std::vector<Item> todo;
  Returned core;
  core.items = c.core;
  absorb(entries, todo, core);
  while (!todo.empty()) {
    const Item item = todo.back();
    todo.pop_back();
    if (!exprs_.nullable(item.top)) continue;
    Returned r;
    pop(item.stack, r);
    absorb(entries, todo, r);
  }
  // Filled when all is known: a limit reached on the way leaves the configuration open.
  std::vector<Item> entered, items;
  std::vector<std::pair<Id, Item>> tokens;
  for (const auto& [top, s] : entries) entered.push_back({top, s});
  // Then calls, until nothing is added. Callees never match the empty string, so nothing returns here.
  std::map<Id, Id> all;
  Returned initial;
  initial.items = entered;
  absorb(all, todo, initial);
  while (!todo.empty()) {
    const Item item = todo.back();
    todo.pop_back();
    const Head& h = exprs_.head(item.top);
    for (const auto& [callee, cont] : h.calls) {
      Returned r;
      canonical(callee, push(cont, item.stack), r);
      absorb(all, todo, r);
    }
  }
  for (const auto& [top, s] : all) {
    const Head& h = exprs_.head(top);
    if (!h.arcs.empty()) items.push_back({top, s});
    for (const Arc& arc : h.arcs) {
      for (int b = arc.lo; b <= arc.hi; ++b) c.live.set(static_cast<unsigned>(b));
    }
    for (const auto& [token, cont] : h.tokens) tokens.push_back({token, {cont, s}});
  }
  c.entries = std::move(entered);
  c.items = std::move(items);
  c.tokens = std::move(tokens);
  c.closed = true;
}

const Config& Configs::closed(Id config) {
  Config& c = configs_[static_cast<std::size_t>(config)];
  if (!c.closed) close(c);
  return c;
}

bool Configs::escapes(Id config) {
  const Config& c = configs_[static_cast<std::size_t>(config)];
  if (!c.closed) {
    const bool empty =
        std::any_of(c.core.begin(), c.core.end(), [&](const Item& i) { return exprs_.nullable(i.top); });
    if (!empty) return c.core_escape;
  }
  return closed(config).escapes;
}

const std::vector<Item>& Configs::entries(Id config) { return closed(config).entered(); }

Id Configs::compute_step(Id config, std::uint8_t byte) {
  Returned core;
  for (const Item& item : closed(config).reading()) {
    const Head& h = exprs_.head(item.top);
    for (const Arc& arc : h.arcs) {
      if (byte < arc.lo) break;
      if (byte > arc.hi) continue;
      canonical(arc.target, stack(item.stack).has_key ? capture(item.stack, byte) : item.stack, core);
    }
  }
  return intern(std::move(core));
}

// Cost: a bit test and a table look-up once the successor is known.
Id Configs::step(Id config, std::uint8_t byte) {
  Config& c = configs_[static_cast<std::size_t>(config)];
  if (!c.closed) close(c);
  if (!c.live.test(byte)) return kDead;
  if (c.table) {
    if (const Id known = (*c.table)[byte]; known >= 0) return known;
  } else {
    for (std::size_t i = 0; i < c.few; ++i) {
      if (c.few_bytes[i] == byte) return c.few_targets[i];
    }
  }
  const Id next = compute_step(config, byte);
  if (!c.table) {
    if (c.few < c.few_bytes.size()) {
      c.few_bytes[c.few] = byte;
      c.few_targets[c.few++] = next;
      return next;
    }
    c.table = std::make_unique<std::array<Id, 256>>();
    c.table->fill(kNone);
    ++tables_;
    for (std::size_t i = 0; i < c.few; ++i) (*c.table)[c.few_bytes[i]] = c.few_targets[i];
  }
  (*c.table)[byte] = next;
  return next;
}

Id Configs::known_step(Id config, std::uint8_t byte) const noexcept {
  const Config& c = configs_[static_cast<std::size_t>(config)];
  if (!c.closed) return kNone;
  if (!c.live.test(byte)) return kDead;
  if (c.table) return (*c.table)[byte];
  for (std::size_t i = 0; i < c.few; ++i) {
    if (c.few_bytes[i] == byte) return c.few_targets[i];
  }
  return kNone;
}

Id Configs::join(Id a, Id b) {
  if (a == kDead || b == kDead) return a == kDead ? b : a;
  const Config& x = configs_[static_cast<std::size_t>(a)];
  const Config& y = configs_[static_cast<std::size_t>(b)];
  Returned core;
  core.items = x.core;
  core.items.insert(core.items.end(), y.core.begin(), y.core.end());
  core.bottom = x.core_accept || y.core_accept;
  core.unknown = x.core_escape || y.core_escape;
  return intern(std::move(core));
}

Id Configs::relax(Id config) {
  if (const auto it = relaxed_.find(config); it != relaxed_.end()) return it->second;
  const Config& c = configs_[static_cast<std::size_t>(config)];
  Returned core;
  core.bottom = c.core_accept;
  core.unknown = c.core_escape;
  bool same = true;
  for (const Item& item : c.core) {
    core.items.push_back({item.top, relax_stack(item.stack)});
    same = same && core.items.back() == item;
  }
  return relaxed_[config] = same ? config : intern(std::move(core));
}

}  // namespace gramspec
