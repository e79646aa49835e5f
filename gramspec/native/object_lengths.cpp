// How short the rest of an object can be, and so whether it can be ended at all.
// Law: a length is finite iff enough different keys are left for the members and marks that are missing.
// Cost: one pass over the declared keys; over the sets of open marks as well where there are any.
// Source: architecture, "Payload frames" (liveness by value).
#include <algorithm>
#include <map>

#include "expr.hpp"
#include "object.hpp"

namespace gramspec {

namespace {

constexpr std::size_t kLengthSteps = 4'096;      // of the lengths behind all keys that may come
constexpr std::int64_t kMarkSteps = 20'000'000;  // of one search over subsets

// Costs of one more member by the marks that it sets.
using Alternatives = std::vector<std::pair<Marks, std::int64_t>>;

}  // namespace

void Objects::forget_pass() {
  pass_.clear();
  required_.clear();
  candidates_of_ = kNone;
}

// Required members left: the state before this one may have told (see tail_of).
Objects::Required Objects::required_left(Id id) {
  if (const auto it = required_.find(id); it != required_.end()) return it->second;
  Required out{0, 0};
  const Situation at = situation(id);
  each_left(at, [&](Id, const Property& p) {
    if (p.required) out = without(out, -1, member_length(at.spec, p));
  });
  return required_[id] = out;
}

Objects::Required Objects::without(Required all, std::int64_t members, std::int64_t length) {
  const bool known = all.length < kUnreachable && length < kUnreachable;
  return {known ? all.length - members * length : kUnreachable, all.members - members};
}

std::int64_t Objects::value_length(const Values& values) {
  std::int64_t best = exprs_.shortest(values.plain);
  for (const auto& [value, marks] : values.marked) best = std::min(best, exprs_.shortest(value));
  return best;
}

// Without its value: quotes, colon, the white space around, and the comma.
std::int64_t Objects::member_overhead(const ObjectSpec& spec) {
  return add_length(4, 4 * exprs_.shortest(spec.gap));
}

std::int64_t Objects::member_length(const ObjectSpec& spec, const Property& p) {
  return add_length(add_length(exprs_.shortest(p.key), value_length(p.values)), member_overhead(spec));
}

Objects::Situation Objects::situation(Id id, KeyClass key, Marks marks) const {
  const State& s = state(id);
  const bool declared = key.what == KeyClass::What::kDeclared;
  return {id,        spec_of(id),   s,    declared ? key.index : kNone, declared ? kNone : key.index,
          !declared, s.members + 1, marks};
}

// Declared keys left, in declaration order.
template <class Visit>
void Objects::each_left(const Situation& at, Visit&& visit) {
  const ObjectSpec& spec = at.spec;
  const auto n = static_cast<Id>(spec.properties.size());
  Id next = at.state.next;
  if (spec.ordered && at.undeclared) next = n;
  if (spec.ordered && at.property != kNone) next = property(spec, at.property).late ? n : at.property + 1;
  for (Id i = spec.ordered && !spec.late ? next : 0; i < n; ++i) {
    const Property& p = property(spec, i);
    if (i == at.property) continue;
    if (spec.ordered && !p.late ? i < next : has(at.state, i)) continue;
    visit(i, p);
  }
}

std::vector<Words::Layer> Objects::names_left(const Situation& at, Id group, std::int64_t wanted) {
  const ObjectSpec& spec = at.spec;
  std::vector<bool> one(spec.groups.size() + 1, false);
  one[static_cast<std::size_t>(group)] = true;
  const Id spellings = spelled_names(spec, one);
  // Lengths of the names that are not to be had, and how many of each.
  const auto take = [&](const std::string& name, std::map<std::int64_t, std::int64_t>& taken) {
    std::string spelling;
    if (group_of(at.state.spec, name) != group || !canonical_spelling(exprs_, name, spelling)) return;
    const Id rest = exprs_.derive(spellings, spelling);
    if (rest == Exprs::kEmptyId || !exprs_.nullable(rest)) return;
    ++taken[static_cast<std::int64_t>(spelling.size())];
  };
  std::map<std::int64_t, std::int64_t> known;
  const std::uint64_t key = pair_key(at.state.spec, group);
  if (const auto it = declared_lengths_.find(key); it != declared_lengths_.end()) {
    known = it->second;
  } else {
    for (const Property& p : spec.properties) take(p.name, known);
    declared_lengths_[key] = known;
  }
  for (Id extra : extras_[static_cast<std::size_t>(at.state.extras)]) {
    take(names_[static_cast<std::size_t>(extra)], known);
  }
  std::int64_t taken = 0;
  for (const auto& [length, names] : known) taken += names;
  std::int64_t skipped = at.group == group ? 1 : 0;
  std::vector<Words::Layer> out;
  for (Words::Layer layer : words_.shortest(spellings, std::min(kMany, wanted + taken + skipped))) {
    layer.words -= known[layer.length];
    const std::int64_t skip = std::min(skipped, layer.words);
    skipped -= skip;
    layer.words -= skip;
    if (layer.words > 0) out.push_back(layer);
  }
  return out;
}

// Members that may still be written, in a place where the next needs a comma first or not.
std::int64_t Objects::member_room(const Situation& at, bool comma) {
  if (!members_writable()) return 0;
  const std::int64_t room = at.spec.most == kInfinite ? kMany : at.spec.most - at.members;
  if (exprs_.live(exprs_.byte(','))) return room;
  return std::min<std::int64_t>(room, comma ? 0 : 1);
}

std::int64_t Objects::shortest_members(const Situation& at, std::int64_t room, std::int64_t fewest) {
  const ObjectSpec& spec = at.spec;
  if (spec.marks != at.marks) return marked_members(at, room, fewest);
  Required left = required_left(at.id);
  if (at.property != kNone && property(spec, at.property).required) {
    left = without(left, 1, member_length(spec, property(spec, at.property)));
  }
  std::int64_t total = left.length;
  const std::int64_t required = left.members;
  if (required > room) return kUnreachable;
  const std::int64_t needed = std::max(fewest, spec.least - at.members) - required;
  if (needed <= 0 || total >= kUnreachable) return total;
  if (needed > room - required) return kUnreachable;
  std::map<std::int64_t, std::int64_t> costs;  // bytes -> members to be had for so many
  each_left(at, [&](Id i, const Property& p) {
    if (!p.required && usable(i, spec)) ++costs[member_length(spec, p)];
  });
  for (Id g = 0; g <= group_count(spec); ++g) {
    const std::int64_t value = value_length(values_of(spec, {KeyClass::What::kUndeclared, g}));
    if (value >= kUnreachable) continue;
    for (const auto& [length, words] : names_left(at, g, needed)) {
      costs[add_length(length, add_length(value, member_overhead(spec)))] += words;
    }
  }
  std::int64_t missing = needed;
  for (const auto& [cost, members] : costs) {
    const std::int64_t now = std::min(missing, members);
    total = add_length(total, multiply_length(cost, now));
    missing -= now;
    if (missing == 0) return total;
  }
  return kUnreachable;
}

// Least cost by (marks set, members beyond the required ones). A cheapest choice has no more members than
// are needed or than there are marks: another would add nothing.
std::int64_t Objects::marked_members(const Situation& at, std::int64_t room, std::int64_t fewest) {
  const ObjectSpec& spec = at.spec;
  const Marks open = spec.marks & ~at.marks;
  const int bits = open_marks(open);
  const auto alternatives = [&](const Values& values, std::int64_t key) {
    std::map<Marks, std::int64_t> cheapest;
    const auto add = [&](Id value, Marks marks) {
      const std::int64_t length = add_length(exprs_.shortest(value), add_length(key, member_overhead(spec)));
      if (length >= kUnreachable) return;
      const auto [it, fresh] = cheapest.try_emplace(dense(marks, open), length);
      if (!fresh) it->second = std::min(it->second, length);
    };
    add(values.plain, 0);
    for (const auto& [value, marks] : values.marked) add(value, marks);
    return Alternatives(cheapest.begin(), cheapest.end());
  };
  const std::size_t sets = std::size_t{1} << bits;
  std::vector<std::int64_t> forced(sets, kUnreachable);
  forced[0] = 0;
  std::int64_t required = 0;
  std::int64_t steps = 0;
  const auto spend = [&](std::size_t more) {
    steps += static_cast<std::int64_t>(more);
    if (steps > kMarkSteps) {
      throw LimitExceeded("max_states", "the conditions on the members of an object need more than " +
                                            std::to_string(kMarkSteps) + " steps");
    }
  };
  std::map<Alternatives, std::int64_t> choices;  // -> members that offer them
  each_left(at, [&](Id i, const Property& p) {
    Alternatives own;
    if (usable(i, spec)) own = alternatives(p.values, exprs_.shortest(p.key));
    if (!p.required) {
      if (!own.empty()) ++choices[own];
      return;
    }
    ++required;
    std::vector<std::int64_t> next(sets, kUnreachable);
    spend(sets * (own.size() + 1));
    for (const auto& [marks, cost] : own) {
      for (std::size_t set = 0; set < sets; ++set) {
        next[set | marks] = std::min(next[set | marks], add_length(forced[set], cost));
      }
    }
    forced = std::move(next);
  });
  const std::int64_t needed = std::max<std::int64_t>(0, std::max(fewest, spec.least - at.members) - required);
  const std::int64_t most = std::min(room - required, std::max<std::int64_t>(needed, bits));
  if (needed > most) return kUnreachable;
  for (Id g = 0; g <= group_count(spec); ++g) {
    const Values& values = values_of(spec, {KeyClass::What::kUndeclared, g});
    if (value_length(values) >= kUnreachable) continue;
    for (const auto& [length, words] : names_left(at, g, most))
      choices[alternatives(values, length)] += words;
  }
  const auto width = static_cast<std::size_t>(most) + 1;
  spend(sets * width);
  std::vector<std::int64_t> best(sets * width, kUnreachable);
  for (std::size_t set = 0; set < sets; ++set) best[set * width] = forced[set];
  for (const auto& [own, members] : choices) {
    for (std::int64_t k = 0; k < std::min(most, members); ++k) {
      spend(sets * width * own.size());
      for (std::size_t n = width - 1; n > 0; --n) {
        for (const auto& [marks, cost] : own) {
          for (std::size_t set = 0; set < sets; ++set) {
            std::int64_t& to = best[(set | marks) * width + n];
            to = std::min(to, add_length(best[set * width + n - 1], cost));
          }
        }
      }
    }
  }
  const auto end = best.begin() + static_cast<std::ptrdiff_t>((sets - 1) * width);
  return *std::min_element(end + needed, end + most + 1);
}

std::int64_t Objects::closing(const Situation& at) {
  const std::int64_t end = add_length(exprs_.shortest(at.spec.gap), exprs_.shortest(exprs_.byte('}')));
  return add_length(end, shortest_members(at, member_room(at, true), 0));
}

std::int64_t Objects::shortest(Id id, bool first) {
  const Situation at = situation(id);
  const std::int64_t gap = exprs_.shortest(at.spec.gap);
  const std::int64_t end = add_length(gap, exprs_.shortest(exprs_.byte('}')));
  const std::int64_t members = shortest_members(at, member_room(at, !first), 0);
  // The first member has no comma and no white space before one.
  return add_length(end, first && members > 0 && members < kUnreachable ? members - gap - 1 : members);
}

std::int64_t Objects::after_value(Id id, KeyClass key, bool upper) {
  std::int64_t best = kUnreachable;
  const Values& values = values_of(spec_of(id), key);
  const auto add = [&](Id value, Marks marks) {
    if (!exprs_.live(value)) return;
    Situation at = situation(id, key, state(id).marks | marks);
    if (!upper) at.group = kNone;
    best = std::min(best, add_length(exprs_.shortest(value), closing(at)));
  };
  add(values.plain, 0);
  for (const auto& [value, marks] : values.marked) add(value, marks);
  return best;
}

// A new name is at most this much longer than a shortest one: each known name can be in the way once.
std::int64_t Objects::name_slack(Id id, const std::string& prefix) {
  const auto known = static_cast<std::int64_t>(known_names(id, prefix).size());
  return multiply_length(exprs_.shortest_non_empty(spec_of(id).free_key), known + 1);
}

std::int64_t Objects::open_slack(Id id) { return spec_of(id).simple ? name_slack(id, "") : 0; }

// Names known already begin like the key: the next of them in length is new.
std::int64_t Objects::new_name_length(Id frame, const std::string& prefix, bool whole) {
  const Node n = exprs_.node(frame);
  const auto known = static_cast<std::int64_t>(known_names(n.a, prefix).size());
  if (known == 0) return 0;
  std::string spelling;
  if (!whole || !canonical_spelling(exprs_, prefix, spelling)) return kUnreachable;
  const Id rest = exprs_.derive(spelled_names(spec_of(n.a), usable_groups(n.a)), spelling);
  std::int64_t words = 0;
  for (const Words::Layer& layer : words_.shortest(rest, known + 1)) {
    words += layer.words;
    if (words > known) return layer.length;
  }
  return 0;  // so few that none of the known ones is in the language of the key
}

// Whether the lengths behind each key that may come are too many to be looked at for one state.
bool Objects::too_many_lengths(Id id) {
  const ObjectSpec& spec = spec_of(id);
  if (!spec.counted) return false;
  const std::size_t sets = std::size_t{1} << open_marks(spec.marks & ~state(id).marks);
  return spec.properties.size() * spec.properties.size() * sets > kLengthSteps;
}

// Below all of them: the required members but one, and no bound above.
Objects::Lengths Objects::coarse_lengths(Id id) {
  const Situation at = situation(id);
  const std::int64_t required = required_left(id).length;
  std::int64_t longest = 0;
  each_left(at, [&](Id, const Property& p) {
    if (p.required) longest = std::max(longest, member_length(at.spec, p));
  });
  const std::int64_t gap = exprs_.shortest(at.spec.gap);
  const std::int64_t end = add_length(gap, exprs_.shortest(exprs_.byte('}')));
  return {add_length(add_length(2 * gap + 1, end), required >= kUnreachable ? required : required - longest),
          kUnreachable};
}

Objects::Lengths Objects::after_key(Id frame) {
  if (const auto it = pass_.find(frame); it != pass_.end()) return it->second;
  const Node n = exprs_.node(frame);
  const Id id = n.a;
  const ObjectSpec& spec = spec_of(id);
  const bool fresh = n.b <= kFreshText;
  std::string prefix;
  const std::string raw = text(frame);
  const bool whole = unescape(raw, prefix);
  const std::string escape = whole ? "" : open_escape(raw);
  const bool undeclared_too = undeclared(id);
  const bool free = spec.simple && undeclared_too;
  if (too_many_lengths(id)) return pass_[frame] = coarse_lengths(id);
  Lengths out{kUnreachable, free ? kUnreachable : 0};
  const auto offer = [&](std::int64_t rest, KeyClass key) {
    const std::int64_t lower = after_value(id, key, false);
    out.least = std::min(out.least, add_length(rest, lower));
    if (!free) out.most = std::max(out.most, spec.simple ? lower : after_value(id, key, true));
  };
  if (!fresh) {
    const std::int64_t counted = free ? exprs_.shortest(exprs_.derive(spec.free_key, raw)) : 0;
    for (Id i : std::vector<Id>(candidates(id))) {
      const std::string& name = property(spec, i).name;
      if (!name.starts_with(prefix)) continue;
      // Below free text this name may be longer than what the top counts; else it is the top's own.
      const auto open = static_cast<std::int64_t>(name.size() - prefix.size());
      const std::int64_t rest = whole ? open : escape_rest(exprs_, escape, name.substr(prefix.size()));
      if (rest >= kUnreachable) continue;
      offer(free ? std::max<std::int64_t>(0, rest - counted) : 0, {KeyClass::What::kDeclared, i});
    }
  }
  if (free) {
    const KeyClass key{KeyClass::What::kUndeclared, 0};
    const bool clash = !fresh && whole && classify(id, prefix) != key;
    const std::int64_t length = after_value(id, key, false);
    out.least = std::min(out.least, add_length(clash ? 1 : 0, length));
    out.most = add_length(fresh ? 0 : name_slack(id, prefix), length);
  } else if (undeclared_too) {
    const std::vector<Id> rests = group_rests(frame);
    for (Id g = 0; g <= group_count(spec); ++g) {
      if (options(id, {KeyClass::What::kUndeclared, g}).empty()) continue;
      if (g < static_cast<Id>(rests.size()) && !exprs_.live(rests[static_cast<std::size_t>(g)])) continue;
      if (g == group_count(spec) && !fresh && !rests.empty()) {
        std::vector<bool> none(rests.size() + 1, false);
        none.back() = true;
        if (!exprs_.live(exprs_.derive(exprs_.spelled(names_of(spec, none), false), raw))) continue;
      }
      offer(0, {KeyClass::What::kUndeclared, g});
    }
    if (!fresh) out.most = add_length(out.most, new_name_length(frame, prefix, whole));
  }
  const std::int64_t colon = 2 * exprs_.shortest(spec.gap) + 1;
  out = {add_length(out.least, colon), add_length(out.most, colon)};
  return pass_[frame] = out;
}

std::int64_t Objects::shortest_from_key(Id id) {
  const ObjectSpec& spec = spec_of(id);
  if (!spec.simple) {
    const Situation at = situation(id);
    const std::int64_t end = add_length(exprs_.shortest(spec.gap), exprs_.shortest(exprs_.byte('}')));
    const std::int64_t members = shortest_members(at, member_room(at, false), 1);
    const std::int64_t opened = 2 * exprs_.shortest(spec.gap) + 2;
    return members >= kUnreachable ? kUnreachable : add_length(end, members - opened);
  }
  std::int64_t best = kUnreachable;
  for (Id i : candidates(id)) {
    const std::int64_t after = after_value(id, {KeyClass::What::kDeclared, i}, false);
    best = std::min(best, add_length(exprs_.shortest(property(spec, i).key), after));
  }
  if (const KeyClass key{KeyClass::What::kUndeclared, 0}; undeclared(id)) {
    const bool clash = classify(id, "") != key;
    best = std::min(best, add_length(clash ? 1 : 0, after_value(id, key, false)));
  }
  return add_length(best, 2 * exprs_.shortest(spec.gap) + 2);
}

}  // namespace gramspec
