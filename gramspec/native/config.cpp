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
  if (s.frames.size() > 1) count(s.frames.size() - 1);
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

// Items and frames kept beside the configurations count against the same limit.
void Configs::count(std::size_t items) {
  const std::int64_t limit = kItems * bounds_.max_configurations;
  if (items_ + static_cast<std::int64_t>(items) > limit) {
    throw LimitExceeded("max_configurations", "the stacks of the configurations have more than " +
                                                  std::to_string(limit) + " frames");
  }
  items_ += static_cast<std::int64_t>(items);
}

void Configs::merge(std::vector<Item>& items) {
  std::sort(items.begin(), items.end());
  std::size_t kept = 0;
  std::vector<Id> alike;
  for (std::size_t i = 0; i < items.size();) {
    const Item item = items[i];
    for (alike.clear(); i < items.size() && items[i].top == item.top; ++i) alike.push_back(items[i].stack);
    items[kept++] = {item.top, alike.size() == 1 ? item.stack : unite_all(alike)};
  }
  items.resize(kept);
}

// Pairs of pairs: one after another, large unions would be written down again for each that joins them.
Id Configs::unite_all(std::vector<Id>& stacks) {
  std::sort(stacks.begin(), stacks.end());
  stacks.erase(std::unique(stacks.begin(), stacks.end()), stacks.end());
  while (stacks.size() > 1) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < stacks.size(); i += 2) {
      stacks[kept++] = i + 1 < stacks.size() ? unite(stacks[i], stacks[i + 1]) : stacks[i];
    }
    stacks.resize(kept);
  }
  return stacks.front();
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
  if (core.items.size() > 1) count(core.items.size() - 1);
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
