// JSON spellings of words: escapes, raw characters, and the expression of all spellings of a language.
// Law: spelled(words) holds exactly the string bodies that unescape to a word.
// Source: RFC 8259 section 7; RFC 3629 (UTF-8 by ranges of bytes).
#include "spelling.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "expr.hpp"

namespace gramspec {

namespace {

constexpr std::string_view kShortForms = "\"\\/bfnrt";
constexpr std::string_view kShortCharacters = "\"\\/\b\f\n\r\t";

// Places in an escape (Node::lo of kSpelled); Node::hi holds the digits read.
constexpr std::int64_t kPlain = 0;
constexpr std::int64_t kBackslash = 1;
constexpr std::int64_t kDigits = 2;  // to 5: digits read so far
constexpr std::int64_t kHigh = 6;    // behind a high surrogate; hi is its value
constexpr std::int64_t kHighBackslash = 7;
constexpr std::int64_t kLowDigits = 8;  // to 11; hi is the high surrogate, then the digits

constexpr std::uint32_t kFirstHigh = 0xD800, kFirstLow = 0xDC00, kAfterLow = 0xE000;

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

// Four hex digits at body[i]; false if the body ends before them.
bool hex4(const std::string& body, std::size_t i, std::uint32_t& out) {
  if (i + 4 > body.size()) return false;
  out = 0;
  for (std::size_t k = i; k < i + 4; ++k) {
    const char c = body[k];
    const std::uint32_t digit =
        c <= '9' ? static_cast<std::uint32_t>(c - '0') : static_cast<std::uint32_t>((c | 0x20) - 'a') + 10;
    out = out * 16 + digit;
  }
  return true;
}

std::size_t character_length(char first) {
  const auto lead = static_cast<std::uint8_t>(first);
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

std::uint32_t character_at(std::string_view text, std::size_t i) {
  const std::size_t length = character_length(text[i]);
  const auto lead = static_cast<std::uint8_t>(text[i]);
  std::uint32_t c = length == 1 ? lead : lead & (0x7FU >> length);
  for (std::size_t k = 1; k < length; ++k) c = (c << 6) | (static_cast<std::uint8_t>(text[i + k]) & 0x3FU);
  return c;
}

std::string hex_unit(std::uint32_t unit) {
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) {
    const std::uint32_t digit = (unit >> shift) & 0xF;
    out.push_back(static_cast<char>(digit < 10 ? '0' + digit : 'a' + digit - 10));
  }
  return out;
}

bool raw_writable(const Exprs& exprs, std::uint32_t c) {
  if (c < 0x20 || c == '"' || c == '\\') return false;
  std::string raw;
  append_utf8(raw, c);
  return std::all_of(raw.begin(), raw.end(),
                     [&](char b) { return exprs.writable(static_cast<std::uint8_t>(b)); });
}

bool short_writable(const Exprs& exprs, std::uint32_t c) {
  const auto at = c < 0x80 ? kShortCharacters.find(static_cast<char>(c)) : std::string_view::npos;
  return at != std::string_view::npos && exprs.writable('\\') &&
         exprs.writable(static_cast<std::uint8_t>(kShortForms[at]));
}

// What is left of words of e that, from byte k of an encoding on, begin with one in [lo, hi] (equally long):
// calls visit with each rest until it returns true.
template <class Visit>
bool each_rest(Exprs& exprs, Id e, const std::string& lo, const std::string& hi, std::size_t k, bool low,
               bool high, Visit&& visit) {
  if (k == lo.size()) return visit(e);
  const int from = low ? static_cast<std::uint8_t>(lo[k]) : 0x80;
  const int to = high ? static_cast<std::uint8_t>(hi[k]) : 0xBF;
  for (const Arc& arc : exprs.head(e).arcs) {
    const int a = std::max<int>(arc.lo, from);
    const int b = std::min<int>(arc.hi, to);
    if (a > b) continue;
    const bool at_low = low && a == from;
    const bool at_high = high && b == to;
    const auto follow = [&](bool l, bool h) {
      return each_rest(exprs, arc.target, lo, hi, k + 1, l, h, visit);
    };
    if (a == b) {
      if (follow(at_low, at_high)) return true;
      continue;
    }
    // The bytes between the edges share one continuation.
    if (at_low && follow(true, false)) return true;
    if (at_high && follow(false, true)) return true;
    if (b - a + 1 > (at_low ? 1 : 0) + (at_high ? 1 : 0) && follow(false, false)) return true;
  }
  return false;
}

// The same for characters of [lo, hi] of any length.
template <class Visit>
bool each_rest(Exprs& exprs, Id e, std::uint32_t lo, std::uint32_t hi, Visit&& visit) {
  static constexpr std::array<std::uint32_t, 4> last = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
  for (std::uint32_t end : last) {
    if (lo > end) continue;
    std::string from, to;
    append_utf8(from, lo);
    append_utf8(to, std::min(hi, end));
    if (each_rest(exprs, e, from, to, 0, true, true, visit)) return true;
    if (hi <= end) return false;
    lo = end + 1;
  }
  return false;
}

// Whether some word of e begins with a character of [lo, hi].
bool begins_with(Exprs& exprs, Id e, std::uint32_t lo, std::uint32_t hi) {
  return each_rest(exprs, e, lo, hi, [](Id) { return true; });
}

// Whether some character of [lo, hi] may have to be written as an escape of hex digits.
bool escapes_within(const Exprs& exprs, std::uint32_t lo, std::uint32_t hi) {
  if (!exprs.everything_writable()) return true;
  for (std::uint32_t c = lo; c <= std::min<std::uint32_t>(hi, 0x1F); ++c) {
    if (!short_writable(exprs, c)) return true;
  }
  return false;
}

}  // namespace

bool unescape(const std::string& body, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < body.size();) {
    if (body[i] != '\\') {
      out.push_back(body[i++]);
      continue;
    }
    if (i + 1 >= body.size()) return false;
    const char kind = body[i + 1];
    if (kind != 'u') {
      const auto at = kShortForms.find(kind);
      out.push_back(at == std::string_view::npos ? kind : kShortCharacters[at]);
      i += 2;
      continue;
    }
    std::uint32_t c = 0;
    if (!hex4(body, i + 2, c)) return false;
    i += 6;
    if (c >= kFirstHigh && c < kFirstLow) {
      std::uint32_t low = 0;
      if (i + 2 > body.size() || !hex4(body, i + 2, low)) return false;
      c = 0x10000 + ((c - kFirstHigh) << 10) + (low - kFirstLow);
      i += 6;
    }
    append_utf8(out, c);
  }
  return true;
}

bool canonical_spelling(const Exprs& exprs, const std::string& name, std::string& out) {
  out.clear();
  const auto put = [&](char c) {
    out.push_back(c);
    return exprs.writable(static_cast<std::uint8_t>(c));
  };
  const auto unit = [&](std::uint32_t value) {
    bool ok = put('\\') && put('u');
    for (int shift = 12; shift >= 0; shift -= 4) {
      const std::uint32_t digit = (value >> shift) & 0xF;
      const auto lower = static_cast<char>(digit < 10 ? '0' + digit : 'a' + digit - 10);
      const bool upper = digit >= 10 && !exprs.writable(static_cast<std::uint8_t>(lower));
      ok = put(upper ? static_cast<char>(lower - 0x20) : lower) && ok;
    }
    return ok;
  };
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t length = character_length(name[i]);
    if (i + length > name.size()) return false;
    const std::uint32_t c = character_at(name, i);
    if (raw_writable(exprs, c)) {
      out.append(name, i, length);
    } else if (short_writable(exprs, c)) {
      out.push_back('\\');
      out.push_back(kShortForms[kShortCharacters.find(static_cast<char>(c))]);
    } else if (c < 0x10000) {
      if (!unit(c)) return false;
    } else if (!unit(kFirstHigh + ((c - 0x10000) >> 10)) || !unit(kFirstLow + ((c - 0x10000) & 0x3FF))) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string open_escape(const std::string& body) {
  std::size_t i = 0;
  std::string out;
  while (i < body.size()) {
    if (body[i] != '\\') {
      ++i;
      continue;
    }
    const std::string tail = body.substr(i);
    if (unescape(tail.substr(0, 2), out)) {
      i += 2;
    } else if (tail.size() >= 6 && unescape(tail.substr(0, 6), out)) {
      i += 6;
    } else if (tail.size() >= 12) {
      i += 12;
    } else {
      return tail;
    }
  }
  return {};
}

std::int64_t escape_rest(const Exprs& exprs, const std::string& escape, const std::string& rest) {
  if (rest.empty()) return kUnreachable;
  const std::size_t length = character_length(rest[0]);
  const auto left = static_cast<std::int64_t>(rest.size() - length);
  const std::uint32_t c = character_at(rest, 0);
  if (escape.size() == 1 && short_writable(exprs, c)) return left + 1;
  const std::string spelling = c < 0x10000 ? hex_unit(c)
                                           : hex_unit(kFirstHigh + ((c - 0x10000) >> 10)) +
                                                 hex_unit(kFirstLow + ((c - 0x10000) & 0x3FF));
  for (std::size_t i = 0; i < escape.size(); ++i) {
    const bool letter = spelling[i] >= 'a' && spelling[i] <= 'f';
    if (escape[i] != spelling[i] && !(letter && escape[i] == spelling[i] - 0x20)) return kUnreachable;
  }
  return left + static_cast<std::int64_t>(spelling.size() - escape.size());
}

Id Exprs::character_spellings(std::uint32_t c) {
  if (const auto it = characters_.find(c); it != characters_.end()) return it->second;
  const auto digits = [&](std::uint32_t unit, Id rest) {
    for (int shift = 0; shift < 16; shift += 4) {
      const std::uint32_t digit = (unit >> shift) & 0xF;
      ByteSet set;
      set.set(digit < 10 ? '0' + digit : 'a' + digit - 10);
      if (digit >= 10) set.set('A' + digit - 10);
      rest = concat(bytes(set), rest);
    }
    return rest;
  };
  const Id units =
      c < 0x10000
          ? digits(c, kEpsilonId)
          : digits(kFirstHigh + ((c - 0x10000) >> 10),
                   concat(byte('\\'),
                          concat(byte('u'), digits(kFirstLow + ((c - 0x10000) & 0x3FF), kEpsilonId))));
  std::vector<Id> escapes{concat(byte('u'), units)};
  if (const auto at = c < 0x80 ? kShortCharacters.find(static_cast<char>(c)) : std::string_view::npos;
      at != std::string_view::npos) {
    escapes.push_back(byte(static_cast<std::uint8_t>(kShortForms[at])));
  }
  std::vector<Id> ways{concat(byte('\\'), union_of(std::move(escapes)))};
  if (c >= 0x20 && c != '"' && c != '\\') {
    std::string raw;
    append_utf8(raw, c);
    Id whole = kEpsilonId;
    for (auto b = raw.rbegin(); b != raw.rend(); ++b)
      whole = concat(byte(static_cast<std::uint8_t>(*b)), whole);
    ways.push_back(whole);
  }
  return characters_[c] = union_of(std::move(ways));
}

Id Exprs::text_spellings(std::string_view text) {
  std::vector<Id> parts;
  for (std::size_t i = 0; i < text.size(); i += character_length(text[i])) {
    parts.push_back(character_spellings(character_at(text, i)));
  }
  Id out = kEpsilonId;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) out = concat(*it, out);
  return out;
}

Id Exprs::utf8() {
  const auto range = [&](unsigned lo, unsigned hi) {
    ByteSet set;
    for (unsigned b = lo; b <= hi; ++b) set.set(b);
    return all_bytes(set);
  };
  const auto sequence = [&](Id lead, std::initializer_list<Id> rest) {
    Id out = kEpsilonId;
    for (auto it = std::rbegin(rest); it != std::rend(rest); ++it) out = concat(*it, out);
    return concat(lead, out);
  };
  const Id next = range(0x80, 0xBF);
  const Id character = union_of({range(0, 0x7F), sequence(range(0xC2, 0xDF), {next}),
                                 sequence(range(0xE0, 0xE0), {range(0xA0, 0xBF), next}),
                                 sequence(union_of({range(0xE1, 0xEC), range(0xEE, 0xEF)}), {next, next}),
                                 sequence(range(0xED, 0xED), {range(0x80, 0x9F), next}),
                                 sequence(range(0xF0, 0xF0), {range(0x90, 0xBF), next, next}),
                                 sequence(range(0xF1, 0xF3), {next, next, next}),
                                 sequence(range(0xF4, 0xF4), {range(0x80, 0x8F), next, next})});
  return repeat(character, 0, kInfinite);
}

Id Exprs::spelled(Id words, bool canonical) {
  if (words == kEmptyId || words == kEpsilonId) return words;
  return intern({Kind::kSpelled, words, canonical ? 1 : 0, kPlain, 0}, true, depth_of(words) + 1);
}

Id Exprs::derive(Id e, std::uint8_t byte) {
  const std::vector<Arc>& arcs = head(e).arcs;
  const auto it = std::partition_point(arcs.begin(), arcs.end(), [&](const Arc& a) { return a.hi < byte; });
  return it == arcs.end() || it->lo > byte ? kEmptyId : it->target;
}

Id Exprs::derive(Id e, std::string_view text) {
  for (std::size_t i = 0; i < text.size() && e != kEmptyId; ++i) {
    e = derive(e, static_cast<std::uint8_t>(text[i]));
  }
  return e;
}

// One more hex digit of an escape, `left` still to come: kEmptyId where no character it can become goes on.
Id Exprs::digit_target(const Node& n, std::uint32_t digit, int left) {
  const bool canonical = n.b == 1;
  const auto read = static_cast<std::uint32_t>(n.hi);
  const bool low = n.lo >= kLowDigits;
  const std::uint32_t value = (low ? (read & 0xFFFU) << 4 : read << 4) | digit;
  const std::uint32_t first = value << (4 * left);
  const std::uint32_t last = first + (1U << (4 * left)) - 1;
  const auto goes_on = [&](std::uint32_t lo, std::uint32_t hi) {
    return lo <= hi && (!canonical || escapes_within(*this, lo, hi)) && begins_with(*this, n.a, lo, hi);
  };
  const auto finished = [&](std::uint32_t c) {
    if (canonical && (raw_writable(*this, c) || short_writable(*this, c))) return kEmptyId;
    std::string raw;
    append_utf8(raw, c);
    return spelled(derive(n.a, raw), canonical);
  };
  const auto place = [&](std::int64_t at, std::int64_t digits) {
    return intern({Kind::kSpelled, n.a, n.b, at, digits}, true, depth_of(n.a) + 1);
  };
  if (low) {
    const std::uint32_t high = read >> 16;
    const std::uint32_t base = 0x10000 + ((high - kFirstHigh) << 10);
    const std::uint32_t from = std::max(first, kFirstLow);
    const std::uint32_t to = std::min(last, kAfterLow - 1);
    if (from > to) return kEmptyId;
    if (left == 0) return finished(base + value - kFirstLow);
    if (!goes_on(base + from - kFirstLow, base + to - kFirstLow)) return kEmptyId;
    return place(n.lo + 1, (static_cast<std::int64_t>(high) << 16) | value);
  }
  const std::uint32_t from = std::max(first, kFirstHigh);
  const std::uint32_t to = std::min(last, kFirstLow - 1);
  const bool pairs = from <= to && goes_on(0x10000 + ((from - kFirstHigh) << 10),
                                           0x10000 + ((to - kFirstHigh) << 10) + 0x3FF);
  if (left == 0 && from <= to) return pairs ? place(kHigh, static_cast<std::int64_t>(value) << 16) : kEmptyId;
  if (left == 0) return value >= kFirstLow && value < kAfterLow ? kEmptyId : finished(value);
  if (!pairs && !goes_on(first, std::min(last, kFirstHigh - 1)) &&
      !goes_on(std::max(first, kAfterLow), last)) {
    return kEmptyId;
  }
  return place(n.lo + 1, value);
}

// Places inside an escape are kept only where some word goes on with a character they can become.
Head Exprs::spelled_head(const Node& n) {
  Head h;
  const bool canonical = n.b == 1;
  const auto place = [&](Id words, std::int64_t at, std::int64_t digits) {
    if (words == kEmptyId) return kEmptyId;
    return intern({Kind::kSpelled, words, n.b, at, digits}, true, depth_of(words) + 1);
  };
  const auto arc = [&](std::uint8_t byte, Id target) {
    if (writable(byte) && target != kEmptyId) h.arcs.push_back({byte, byte, target});
  };
  if (n.lo == kPlain) {
    h.nullable = nullable(n.a);
    for (const Arc& a : std::vector<Arc>(head(n.a).arcs)) {
      for (int b = std::max<int>(a.lo, 0x20); b <= a.hi; ++b) {
        if (b == '"' || b == '\\' || !writable(static_cast<std::uint8_t>(b))) continue;
        const Id target = spelled(a.target, canonical);
        if (!h.arcs.empty() && h.arcs.back().target == target && h.arcs.back().hi + 1 == b) {
          h.arcs.back().hi = static_cast<std::uint8_t>(b);
        } else {
          h.arcs.push_back({static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(b), target});
        }
      }
    }
    arc('\\', place(n.a, kBackslash, 0));
  } else if (n.lo == kBackslash) {
    for (std::size_t i = 0; i < kShortForms.size(); ++i) {
      const auto c = static_cast<std::uint8_t>(kShortCharacters[i]);
      if (canonical && raw_writable(*this, c)) continue;
      arc(static_cast<std::uint8_t>(kShortForms[i]), spelled(derive(n.a, c), canonical));
    }
    arc('u', place(n.a, kDigits, 0));
  } else if (n.lo == kHigh || n.lo == kHighBackslash) {
    arc(n.lo == kHigh ? '\\' : 'u', place(n.a, n.lo == kHigh ? kHighBackslash : kLowDigits, n.hi));
  } else {
    const bool low = n.lo >= kLowDigits;
    const std::int64_t left = 3 - (n.lo - (low ? kLowDigits : kDigits));  // digits after this one
    for (std::uint32_t digit = 0; digit < 16; ++digit) {
      const Id target = digit_target(n, digit, static_cast<int>(left));
      if (target == kEmptyId) continue;
      const auto lower = static_cast<std::uint8_t>(digit < 10 ? '0' + digit : 'a' + digit - 10);
      arc(lower, target);
      if (digit >= 10 && !(canonical && writable(lower)))
        arc(static_cast<std::uint8_t>(lower - 0x20), target);
    }
  }
  std::sort(h.arcs.begin(), h.arcs.end(), [](const Arc& x, const Arc& y) { return x.lo < y.lo; });
  return h;
}

// At most the length of a shortest spelling: inside an escape, of what its characters leave to be spelled.
std::int64_t Exprs::spelled_bound(const Node& n) {
  if (n.lo == kPlain) return shortest_bound(n.a);  // no spelling is shorter than the word in UTF-8
  std::int64_t best = kUnreachable;
  const auto offer = [&](std::int64_t written, std::uint32_t lo, std::uint32_t hi) {
    if (lo > hi) return;
    each_rest(*this, n.a, lo, hi, [&](Id rest) {
      best = std::min(best, add_length(written, shortest_bound(rest)));
      return false;
    });
  };
  const auto read = static_cast<std::uint32_t>(n.hi);
  if (n.lo == kBackslash) {
    for (char c : kShortCharacters) offer(1, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c));
    offer(5, 0, kFirstHigh - 1);
    offer(5, kAfterLow, 0xFFFF);
    offer(11, 0x10000, 0x10FFFF);
    return best;
  }
  if (n.lo < kHigh) {
    const auto left = static_cast<int>(kHigh - n.lo);
    const std::uint32_t first = left == 4 ? 0 : read << (4 * left);
    const std::uint32_t last = first + (1U << (4 * left)) - 1;
    offer(left, first, std::min(last, kFirstHigh - 1));
    offer(left, std::max(first, kAfterLow), last);
    const std::uint32_t from = std::max(first, kFirstHigh);
    const std::uint32_t to = std::min(last, kFirstLow - 1);
    if (from <= to) {
      offer(left + 6, 0x10000 + ((from - kFirstHigh) << 10), 0x10000 + ((to - kFirstHigh) << 10) + 0x3FF);
    }
    return best;
  }
  const std::uint32_t base = 0x10000 + (((read >> 16) - kFirstHigh) << 10);
  if (n.lo < kLowDigits) {
    offer(n.lo == kHigh ? 6 : 5, base, base + 0x3FF);
    return best;
  }
  const auto left = static_cast<int>(kLowDigits + 4 - n.lo);
  const std::uint32_t first = left == 4 ? 0 : (read & 0xFFFFU) << (4 * left);
  const std::uint32_t from = std::max(first, kFirstLow);
  const std::uint32_t to = std::min(first + (1U << (4 * left)) - 1, kAfterLow - 1);
  if (from <= to) offer(left, base + from - kFirstLow, base + to - kFirstLow);
  return best;
}

}  // namespace gramspec
