// Whether enough different members are left for an object to end: by kinds of members, not one by one.
// Law: exact; a property counts by the sets of marks that its values offer, whichever property it is.
// Cost: the kinds of properties of an object (few) and the sets of open marks, remembered.
// Source: architecture, "Payload frames" (liveness by value).
#include <algorithm>
#include <bit>

#include "expr.hpp"
#include "object.hpp"

namespace gramspec {

namespace {

constexpr int kOpenMarks = 12;  // of one object; all their subsets are looked at

std::vector<Marks> offered(Exprs& exprs, const Values& values) {
  std::vector<Marks> out;
  if (exprs.live(values.plain)) out.push_back(0);
  for (const auto& [value, marks] : values.marked) {
    if (exprs.live(value)) out.push_back(marks);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

// The bits of `marks` that are in `open`, closed up.
Marks Objects::dense(Marks marks, Marks open) {
  Marks out = 0;
  int place = 0;
  for (Marks left = open; left != 0; left &= left - 1, ++place) {
    if ((marks & left & (~left + 1)) != 0) out |= Marks{1} << place;
  }
  return out;
}

int Objects::open_marks(Marks open) {
  const int bits = std::popcount(open);
  if (bits > kOpenMarks) {
    throw LimitExceeded("max_states", "an object has more than " + std::to_string(kOpenMarks) +
                                          " open conditions on its members");
  }
  return bits;
}

const Objects::Kinds& Objects::kinds_of(Id spec_id) {
  if (const auto it = kinds_.find(spec_id); it != kinds_.end()) return it->second;
  Kinds kinds;
  const ObjectSpec& spec = specs_[static_cast<std::size_t>(spec_id)];
  std::map<std::vector<Marks>, Id> known;
  for (std::size_t i = 0; i < spec.properties.size(); ++i) {
    const Property& p = spec.properties[i];
    std::vector<Marks> marks;
    if (usable(static_cast<Id>(i), spec)) marks = offered(exprs_, p.values);
    const auto [kind, is_new] = known.try_emplace(marks, static_cast<Id>(kinds.offers.size()));
    if (is_new) {
      kinds.offers.push_back(marks);
      kinds.places.emplace_back();
    }
    kinds.kind.push_back(kind->second);
    if (spec.ordered && !p.late) {
      kinds.places[static_cast<std::size_t>(kind->second)][p.required ? 1 : 0].push_back(static_cast<Id>(i));
    }
  }
  for (const KeyGroup& g : spec.groups) kinds.group_offers.push_back(offered(exprs_, g.values));
  kinds.group_offers.push_back(offered(exprs_, spec.additional));
  return kinds_[spec_id] = std::move(kinds);
}

// Properties left that may come in any order, by kind.
const std::vector<Objects::Count>& Objects::pool_of(Id id, const Kinds& kinds) {
  const auto [it, fresh] = pools_.try_emplace(id);
  std::vector<Count>& pool = it->second;
  if (!fresh) return pool;
  pool.assign(kinds.offers.size(), Count{0, 0});
  const ObjectSpec& spec = spec_of(id);
  if (spec.ordered && !spec.late) return pool;
  for (std::size_t i = 0; i < spec.properties.size(); ++i) {
    const Property& p = spec.properties[i];
    if ((spec.ordered && !p.late) || has(state(id), static_cast<Id>(i))) continue;
    ++pool[static_cast<std::size_t>(kinds.kind[i])][p.required ? 1 : 0];
  }
  return pool;
}

std::vector<Objects::Count> Objects::counts_left(const Situation& at, const Kinds& kinds) {
  const ObjectSpec& spec = at.spec;
  std::vector<Count> left = pool_of(at.id, kinds);
  Id next = at.state.next;
  if (spec.ordered && at.undeclared) next = static_cast<Id>(spec.properties.size());
  if (at.property != kNone) {
    const Property& p = property(spec, at.property);
    if (spec.ordered && !p.late) {
      next = at.property + 1;
    } else {
      --left[static_cast<std::size_t>(kinds.kind[static_cast<std::size_t>(at.property)])][p.required ? 1 : 0];
      if (spec.ordered) next = static_cast<Id>(spec.properties.size());
    }
  }
  for (std::size_t k = 0; spec.ordered && k < left.size(); ++k) {
    for (std::size_t r = 0; r < 2; ++r) {
      const std::vector<Id>& places = kinds.places[k][r];
      left[k][r] += places.end() - std::lower_bound(places.begin(), places.end(), next);
    }
  }
  return left;
}

std::int64_t Objects::names_count(const Situation& at, Id group, std::int64_t wanted) {
  std::int64_t words = 0;
  for (const Words::Layer& layer : names_left(at, group, wanted)) words += layer.words;
  return std::min(words, wanted);
}

bool Objects::feasible(const Situation& at) {
  const ObjectSpec& spec = at.spec;
  const Kinds& kinds = kinds_of(at.state.spec);
  const std::vector<Count> left = counts_left(at, kinds);
  std::int64_t required = 0;
  std::int64_t optional = 0;
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (kinds.offers[k].empty()) {
      if (left[k][1] > 0) return false;
      continue;
    }
    optional += left[k][0];
    required += left[k][1];
  }
  const std::int64_t room = member_room(at, true) - required;
  if (room < 0) return false;
  const std::int64_t needed = std::max<std::int64_t>(0, spec.least - at.members - required);
  if (needed > room) return false;
  std::int64_t supply = optional;
  for (Id g = 0; g <= group_count(spec) && supply < needed; ++g) {
    if (kinds.group_offers[static_cast<std::size_t>(g)].empty()) continue;
    supply += names_count(at, g, needed - supply);
  }
  if (supply < needed) return false;
  return spec.marks == at.marks || covering(at, kinds, left) <= room;
}

// Fewest members beyond the required ones that, with those, set all open marks.
std::int64_t Objects::covering(const Situation& at, const Kinds& kinds, const std::vector<Count>& left) {
  const Marks open = at.spec.marks & ~at.marks;
  const int bits = open_marks(open);
  // More members of a kind than there are marks set no more marks.
  std::vector<std::pair<const std::vector<Marks>*, Count>> choices;
  std::vector<Id> key{at.state.spec, static_cast<Id>(open)};
  const auto choose = [&](const std::vector<Marks>& offers, std::int64_t some, std::int64_t all) {
    const Count count{std::min<std::int64_t>(some, bits), std::min<std::int64_t>(all, bits)};
    choices.emplace_back(&offers, count);
    key.push_back(static_cast<Id>(count[0]));
    key.push_back(static_cast<Id>(count[1]));
  };
  for (std::size_t k = 0; k < left.size(); ++k) choose(kinds.offers[k], left[k][0], left[k][1]);
  for (Id g = 0; g <= group_count(at.spec); ++g) {
    const std::vector<Marks>& offers = kinds.group_offers[static_cast<std::size_t>(g)];
    const bool helps = std::any_of(offers.begin(), offers.end(), [&](Marks m) { return (m & open) != 0; });
    choose(offers, helps ? names_count(at, g, bits) : 0, 0);
  }
  if (const auto it = covers_.find(key); it != covers_.end()) return it->second;
  const std::size_t sets = std::size_t{1} << bits;
  std::vector<std::int64_t> fewest(sets, kUnreachable);
  fewest[0] = 0;
  for (const std::size_t r : {std::size_t{1}, std::size_t{0}}) {
    for (const auto& [offers, count] : choices) {
      for (std::int64_t n = 0; n < count[r]; ++n) {
        std::vector<std::int64_t> next = fewest;
        for (Marks offer : *offers) {
          const Marks marks = dense(offer, open);
          for (std::size_t set = 0; set < sets; ++set) {
            next[set | marks] = std::min(next[set | marks], add_length(fewest[set], r == 1 ? 0 : 1));
          }
        }
        fewest = std::move(next);
      }
    }
  }
  return covers_[key] = fewest.back();
}

}  // namespace gramspec
