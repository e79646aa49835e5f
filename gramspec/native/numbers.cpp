// Steps, ends and lengths of the automaton of numbers.
// Cost: a few comparisons a step, and one look-up of the state reached.
// Source: RFC 8259 section 6; see numbers.hpp for multiples.
#include "numbers.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace gramspec {

namespace {

bool bounded_below(const NumberSide& side) { return !side.low_digits.empty(); }

std::int32_t digit_at(const std::string& digits, std::int32_t i) {
  return i < static_cast<std::int32_t>(digits.size()) ? digits[static_cast<std::size_t>(i)] - '0' : 0;
}

std::int32_t length(const std::string& digits) { return static_cast<std::int32_t>(digits.size()); }

std::int32_t highest(const NumberSide& side, std::int32_t otherwise) {
  if (bounded_below(side)) otherwise = std::max(otherwise, side.low_at);
  return side.has_high ? std::max(otherwise, side.high_at) : otherwise;
}

std::int32_t lowest(const NumberSide& side) {
  std::int32_t out = std::numeric_limits<std::int32_t>::max();
  if (bounded_below(side)) out = std::min(out, side.low_at);
  return side.has_high ? std::min(out, side.high_at) : out;
}

}  // namespace

void NumberSpec::between(const std::optional<std::string>& low, bool low_strict,
                         const std::optional<std::string>& high, bool high_strict) {
  struct End {
    int sign = 0;
    std::string digits;
    std::int32_t at = 0;
    bool strict = false;
  };
  const auto read = [](const std::optional<std::string>& text, bool strict) -> std::optional<End> {
    if (!text) return std::nullopt;
    const bool negative = text->starts_with('-');
    const std::size_t mark = text->find('e');
    if (mark == std::string::npos) throw std::invalid_argument("a number is written with its exponent");
    End out;
    out.digits = text->substr(negative ? 1 : 0, mark - (negative ? 1 : 0));
    out.sign = out.digits.empty() ? 0 : negative ? -1 : 1;
    out.at = std::stoi(text->substr(mark + 1));
    out.strict = strict;
    return out;
  };
  const auto side = [](const std::optional<End>& near, const std::optional<End>& far,
                       int sign) -> NumberSide {
    if (far && far->sign * sign <= 0) return {};
    NumberSide out;
    out.possible = true;
    if (near && near->sign * sign > 0) {
      out.low_digits = near->digits;
      out.low_at = near->at;
      out.low_strict = near->strict;
    }
    if (far) {
      out.has_high = true;
      out.high_digits = far->digits;
      out.high_at = far->at;
      out.high_strict = far->strict;
    }
    return out;
  };
  const auto from = read(low, low_strict);
  const auto to = read(high, high_strict);
  sides = {side(from, to, 1), side(to, from, -1)};
  zero = (!from || from->sign < 0 || (from->sign == 0 && !from->strict)) &&
         (!to || to->sign > 0 || (to->sign == 0 && !to->strict));
}

std::size_t Numbers::Hash::operator()(const State& s) const noexcept {
  std::size_t seed = static_cast<std::size_t>(s.phase * 32 + s.negative * 16 + s.begun * 8);
  for (const std::int32_t part : {s.spec, s.low, s.high, s.seen, s.whole, s.zeros, s.trailing, s.read, s.last,
                                  s.residue, s.valuation}) {
    seed = mix(seed, static_cast<std::size_t>(static_cast<std::uint32_t>(part)));
  }
  return seed;
}

std::int32_t Numbers::intern(const State& s) {
  const auto [it, fresh] = index_.try_emplace(s, static_cast<std::int32_t>(states_.size()));
  if (fresh) states_.push_back(s);
  return it->second;
}

std::int32_t Numbers::add(const NumberSpec& given) {
  std::string key;
  const auto note = [&](std::int64_t figure) {
    key += std::to_string(figure);
    key += ',';
  };
  for (const bool flag : {given.zero, given.fraction, given.decimals, given.exponents}) note(flag);
  for (const NumberSide& side : given.sides) {
    key += side.low_digits;
    key += '/';
    key += side.high_digits;
    key += '/';
    for (const bool flag : {side.possible, side.low_strict, side.has_high, side.high_strict}) note(flag);
    note(side.low_at);
    note(side.high_at);
  }
  note(given.most_exponent);
  note(given.place.has_value());
  for (const std::int32_t figure : {given.place.value_or(0), given.coprime, given.base, given.power})
    note(figure);
  for (const std::int32_t other : given.others) note(other);
  if (const auto it = known_.find(key); it != known_.end()) return it->second;
  Kept spec;
  static_cast<NumberSpec&>(spec) = given;
  for (std::int32_t i = 0; i < spec.power; ++i) spec.tested *= spec.base;
  spec.modulus = spec.coprime * spec.tested;
  for (const std::int32_t other : spec.others) spec.modulus = std::lcm(spec.modulus, other);
  if (!spec.place && spec.modulus > 1) throw std::invalid_argument("multiples need a place");
  specs_.push_back(std::move(spec));
  State start;
  start.spec = static_cast<std::int32_t>(specs_.size()) - 1;
  return known_[key] = intern(start);
}

bool Numbers::low_holds(const State& s, const NumberSide& side, bool ended) {
  if (!bounded_below(side) || s.low > 0) return true;
  if (s.low < 0) return false;
  return !ended || (s.seen >= length(side.low_digits) && !side.low_strict);
}

bool Numbers::high_holds(const State& s, const NumberSide& side, bool ended) {
  if (!side.has_high || s.high < 0) return true;
  if (s.high > 0) return false;
  // Digits that are as far the same stay below only while some are left.
  return (ended || side.high_strict) ? s.seen < length(side.high_digits) || !side.high_strict : true;
}

bool Numbers::in_decade(const State& s, const NumberSide& side, std::int32_t at, bool ended) const {
  if (bounded_below(side)) {
    if (at < side.low_at || (at == side.low_at && !low_holds(s, side, ended))) return false;
  }
  return !side.has_high || at < side.high_at || (at == side.high_at && high_holds(s, side, ended));
}

bool Numbers::divisible(const State& s, const Kept& spec) const {
  if (spec.modulus == 1) return true;
  if (s.residue % spec.coprime != 0) return false;
  return std::all_of(spec.others.begin(), spec.others.end(),
                     [&](std::int32_t other) { return s.residue % other != 0; });
}

void Numbers::compare(State& s, const Kept& spec, std::int32_t digit) const {
  const NumberSide& side = spec.sides[static_cast<std::size_t>(s.negative)];
  if (s.low == 0) {
    const std::int32_t other = digit_at(side.low_digits, s.seen);
    s.low = digit == other ? 0 : digit > other ? 1 : -1;
  }
  if (s.high == 0) {
    const std::int32_t other = digit_at(side.high_digits, s.seen);
    s.high = digit == other ? 0 : digit > other ? 1 : -1;
  }
  const std::int32_t most =
      std::max(s.low == 0 ? length(side.low_digits) : 0, s.high == 0 ? length(side.high_digits) : 0);
  s.seen = std::min(s.seen + 1, most);
  if (spec.modulus > 1) {
    s.residue = static_cast<std::int32_t>((std::int64_t{10} * s.residue + digit) % spec.modulus);
  }
  if (digit != 0 && spec.power > 0) {
    s.valuation = 0;
    for (std::int32_t rest = s.residue % spec.tested; s.valuation < spec.power && rest % spec.base == 0;
         rest /= spec.base) {
      ++s.valuation;
    }
  }
}

// What cannot matter any more is forgotten, so that states that go on alike are one.
void Numbers::settle(State& s, const Kept& spec) const {
  const NumberSide& side = spec.sides[static_cast<std::size_t>(s.negative)];
  s.whole = std::min(s.whole, std::max(2, highest(side, 0) + 2));
  if (s.whole >= 2) {  // no exponent: the decade only grows
    if (s.whole - 1 > side.low_at) s.low = 1;
    if (s.phase != kWhole && s.whole - 1 < side.high_at) s.high = -1;
  }
  if (s.low != 0 && s.high != 0) s.seen = 0;
}

std::int32_t Numbers::after_digit(State s, std::int32_t digit) {
  const Kept& spec = specs_[static_cast<std::size_t>(s.spec)];
  const NumberSide& side = spec.sides[static_cast<std::size_t>(s.negative)];
  const auto begin = [&] {
    s.begun = 1;
    s.low = bounded_below(side) ? 0 : 1;
    s.high = side.has_high ? 0 : -1;
    s.seen = 0;
    compare(s, spec, digit);
  };
  if (s.phase == kStart || s.phase == kSigned) {
    if (digit == 0) {
      s.phase = kZero;
      return intern(s);
    }
    if (!side.possible) return kDead;
    s.phase = kWhole;
    s.whole = 1;
    begin();
    settle(s, spec);
    return intern(s);
  }
  if (s.phase == kZero) return kDead;
  if (s.phase == kWhole) {
    if (!spec.decimals) return kDead;
    ++s.whole;
    compare(s, spec, digit);
    const std::int32_t most = spec.place ? std::max(0, *spec.place + spec.power) : 0;
    s.trailing = digit == 0 ? std::min(s.trailing + 1, most) : 0;
    settle(s, spec);
    return intern(s);
  }
  s.phase = kFraction;
  bool frozen = false;  // only zeros may follow
  if (spec.place) {
    const std::int32_t limit = last_place(s);
    frozen = s.read >= limit;
    s.read = std::min(s.read + 1, limit + 1);
    if (digit != 0) {
      if (frozen) return kDead;
      s.last = s.read;
    }
  }
  if (s.whole == 0 && !s.begun) {
    if (digit != 0) {
      if (!side.possible) return kDead;
      begin();
    } else if (side.possible && (bounded_below(side) || side.has_high)) {
      s.zeros = std::min(s.zeros + 1, std::max(1, spec.most_exponent - lowest(side)));
    }
  } else {
    const std::int32_t residue = s.residue;
    compare(s, spec, digit);
    if (frozen) s.residue = residue;  // 10 is a unit: zeros at the end change nothing that is asked
  }
  settle(s, spec);
  return intern(s);
}

// How many digits behind the point may be other than 0 at most.
std::int32_t Numbers::last_place(const State& s) const {
  const Kept& kept = spec(s);
  std::int32_t shift = 0;
  if (kept.exponents && s.whole <= 1) {
    shift = kept.most_exponent;
    const NumberSide& side = kept.sides[static_cast<std::size_t>(s.negative)];
    if (s.begun && side.has_high) {
      const std::int32_t decade = s.whole > 0 ? 0 : -s.zeros - 1;
      shift = std::min(shift, side.high_at - decade - (high_holds(s, side, false) ? 0 : 1));
      if (kept.decimals) shift = std::max(shift, 0);
    }
  }
  return std::max(shift - *kept.place, 0);
}

// Behind the e the numbers differ by the exponents only that they may have.
std::optional<std::pair<std::int32_t, std::int32_t>> Numbers::exponents(const State& s, bool ended) const {
  const Kept& kept = spec(s);
  if (!kept.exponents || s.whole > 1) return std::nullopt;
  std::int32_t low = -kept.most_exponent;
  std::int32_t high = kept.most_exponent;
  if (!s.begun) {
    if (!kept.zero || !kept.others.empty()) return std::nullopt;
    return std::pair{low, high};
  }
  if (ended && !divisible(s, kept)) return std::nullopt;
  const NumberSide& side = kept.sides[static_cast<std::size_t>(s.negative)];
  const std::int32_t shift = s.whole > 0 ? 0 : -s.zeros - 1;
  if (bounded_below(side)) low = std::max(low, side.low_at - shift + (low_holds(s, side, ended) ? 0 : 1));
  if (side.has_high) high = std::min(high, side.high_at - shift - (high_holds(s, side, ended) ? 0 : 1));
  if (kept.place) low = std::max(low, *kept.place + s.last + (ended ? kept.power - s.valuation : 0));
  if (low > high) return std::nullopt;
  return std::pair{low, high};
}

// Whether digits that begin with `value` (-1: none yet) go on to a number between two.
std::int32_t Numbers::unsigned_digits(std::int32_t low, std::int32_t high, std::int32_t value) {
  if (low > high) return kDead;
  if (value <= 0) return 0;
  for (std::int64_t from = value, to = value; from <= high; from *= 10, to = 10 * to + 9) {
    if (to >= low) return 0;
  }
  return kDead;
}

std::int32_t Numbers::after_exponent_digit(const State& s, std::int32_t digit) {
  State next = s;
  if (s.phase == kExponent) next.zeros = std::max(next.zeros, 0);  // no sign: not below 0
  const std::int32_t value = s.phase == kExponentDigits ? s.residue : 0;
  next.phase = kExponentDigits;
  next.residue = 10 * value + digit;
  if (unsigned_digits(next.zeros, next.seen, next.residue) == kDead) return kDead;
  if (next.residue > 0 && 10 * next.residue > next.seen)
    return kEnd;  // it is between the two, as it is not dead
  return intern(next);
}

std::int32_t Numbers::step(std::int32_t from, std::uint8_t byte) {
  const State s = state(from);
  if (s.phase >= kExponent) {
    if (byte >= '0' && byte <= '9') return after_exponent_digit(s, byte - '0');
    if (s.phase != kExponent || (byte != '+' && byte != '-')) return kDead;
    State next;
    next.phase = kExponentSign;
    next.low = next.high = 0;
    next.spec = s.spec;
    next.zeros = byte == '+' ? std::max(s.zeros, 0) : std::max(-s.seen, 0);
    next.seen = byte == '+' ? s.seen : -s.zeros;
    return next.zeros > next.seen ? kDead : intern(next);
  }
  if (byte >= '0' && byte <= '9') return after_digit(s, byte - '0');
  const Kept& kept = spec(s);
  State next = s;
  if (byte == '-') {
    if (s.phase != kStart) return kDead;
    next.phase = kSigned;
    next.negative = 1;
    return intern(next);
  }
  if (byte == '.') {
    if (!kept.fraction || (s.phase != kZero && s.phase != kWhole)) return kDead;
    next.phase = kPoint;
    settle(next, kept);
    return intern(next);
  }
  if ((byte != 'e' && byte != 'E') || s.phase == kStart || s.phase == kSigned || s.phase == kPoint)
    return kDead;
  const auto found = exponents(s, true);
  if (!found) return kDead;
  next = State{};
  next.phase = kExponent;
  next.spec = 0;
  next.low = next.high = 0;
  next.zeros = found->first;
  next.seen = found->second;
  return intern(next);
}

bool Numbers::accepts(std::int32_t at) const {
  const State& s = state(at);
  if (s.phase == kExponentDigits) return s.zeros <= s.residue && s.residue <= s.seen;
  if (s.phase != kZero && s.phase != kWhole && s.phase != kFraction) return false;
  const Kept& kept = spec(s);
  if (!kept.decimals) return false;
  if (!s.begun) return kept.zero && kept.others.empty();
  const std::int32_t decade = s.whole > 0 ? s.whole - 1 : -s.zeros - 1;
  if (!in_decade(s, kept.sides[static_cast<std::size_t>(s.negative)], decade, true)) return false;
  if (!kept.place) return true;
  const std::int32_t end = s.last > 0 ? -s.last : s.trailing;
  return end >= *kept.place + kept.power - s.valuation && divisible(s, kept);
}

// The same for a decimal, before the exponents are looked at.
std::int64_t Numbers::decimal_bound(const State& s) const {
  const Kept& kept = spec(s);
  const NumberSide& side = kept.sides[static_cast<std::size_t>(s.negative)];
  if (!kept.decimals) return kUnreachable;
  if (!s.begun) {
    if (!kept.fraction || !side.possible) return kUnreachable;
    std::int32_t decade = -s.zeros - 1;
    if (side.has_high) decade = std::min(decade, side.high_at);
    if (bounded_below(side) && decade < side.low_at) return kUnreachable;
    if (kept.place && s.read + 1 > -*kept.place) return kUnreachable;
    return (s.phase == kZero ? 2 : 1) + (-s.zeros - 1 - decade);
  }
  if (s.phase == kWhole) {
    std::int32_t decade = s.whole - 1;
    if (kept.place) decade = std::max(decade, s.whole - 1 + *kept.place - s.trailing);
    if (bounded_below(side)) decade = std::max(decade, side.low_at + (low_holds(s, side, false) ? 0 : 1));
    if (side.has_high && (decade > side.high_at || (decade == side.high_at && !high_holds(s, side, false)))) {
      return kUnreachable;
    }
    return std::max(1, decade - (s.whole - 1));
  }
  if (!in_decade(s, side, s.whole > 0 ? s.whole - 1 : -s.zeros - 1, false)) return kUnreachable;
  if (!kept.place) return 1;
  const bool well =
      s.last > 0 ? s.last <= -*kept.place : s.trailing >= *kept.place || s.read + 1 <= -*kept.place;
  return well ? 1 : kUnreachable;
}

std::int64_t Numbers::bound(std::int32_t at) const {
  const State& s = state(at);
  if (s.phase <= kSigned) return 1;
  if (s.phase >= kExponent) return accepts(at) ? 0 : 1;
  if (accepts(at)) return 0;
  const Kept& kept = spec(s);
  if (s.begun && s.phase == kFraction && kept.place && s.read >= last_place(s)) {
    return exponents(s, true) ? 2 : kUnreachable;  // zeros change nothing
  }
  std::int64_t out = decimal_bound(s);
  const std::int64_t more = s.phase == kPoint ? 3 : 2;
  if (exponents(s, false)) out = std::min(out, more);
  if (s.begun) return out;
  if (s.phase == kPoint && kept.zero && kept.others.empty() && kept.decimals) return 1;
  const NumberSide& side = kept.sides[static_cast<std::size_t>(s.negative)];
  if (!kept.fraction || !kept.exponents || !side.possible) return out;
  std::int32_t decade = kept.most_exponent - 1 - s.zeros;
  if (side.has_high) decade = std::min(decade, side.high_at);
  if (bounded_below(side) && decade < side.low_at) return out;
  if (kept.place && s.read + 1 > kept.most_exponent - *kept.place) return out;
  return std::min<std::int64_t>(out, s.phase == kZero ? 4 : 3);
}

std::int64_t Numbers::witness(std::int32_t at) const {
  const State& s = state(at);
  if (s.phase >= kExponent) return s.phase == kExponentDigits ? 3 : 4;
  const Kept& kept = spec(s);
  const NumberSide& side = kept.sides[static_cast<std::size_t>(s.negative)];
  if (!side.possible || !kept.others.empty()) return -1;
  // Of so many digits, all of which are free, some make a multiple.
  const auto digits = [](std::int64_t modulus) {
    std::int32_t out = 0;
    for (std::int64_t reached = 1; reached < modulus; reached *= 10) ++out;
    return out;
  };
  const std::int32_t place = kept.place.value_or(0);
  const std::int32_t every = digits(std::int64_t{kept.coprime} * kept.tested);
  const auto well_inside = [&](std::int32_t decade) {
    return (!bounded_below(side) || decade > side.low_at) && (!side.has_high || decade < side.high_at);
  };
  if (kept.decimals && (s.phase <= kSigned || s.phase == kWhole)) {
    const std::int32_t decade = s.phase == kWhole ? s.whole - 1 : 0;
    std::int32_t more = every + std::max(0, place);
    if (bounded_below(side)) more = std::max(more, side.low_at + 1 - decade);
    if (!side.has_high || decade + more < side.high_at) return s.phase == kWhole ? more : more + 2;
  }
  if (s.phase <= kSigned) return -1;
  if (s.phase == kFraction && s.begun && kept.place && s.read >= last_place(s)) return -1;
  const std::int32_t decade = s.whole > 0 ? s.whole - 1 : -s.zeros - 1;
  if (kept.decimals && kept.fraction && s.phase != kZero && s.begun && well_inside(decade) &&
      -place - s.read >= every) {
    return s.phase == kWhole ? 1 - place : std::max(1, -place - s.read);
  }
  if (!kept.exponents || !kept.fraction || s.whole > 1) return -1;
  // With an exponent only what is coprime to 10 is asked of the digits; it can be large enough for the rest.
  const std::int32_t more = digits(kept.coprime) + 1;
  const std::int32_t shift = s.whole > 0 ? 0 : -s.zeros - 1;
  std::int32_t exponent = kept.most_exponent;
  if (side.has_high) exponent = std::min(exponent, side.high_at - 1 - shift);
  if (exponent < -kept.most_exponent || (bounded_below(side) && exponent + shift <= side.low_at)) return -1;
  if (!kept.place || place + kept.power + s.read + more <= exponent) return more + 6;
  const std::int32_t room = exponent - place - s.read;
  return room >= every ? std::max(room, 1) + 6 : -1;
}

}  // namespace gramspec
