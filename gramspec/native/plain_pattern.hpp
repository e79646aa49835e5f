// Whether a pattern (ECMA-262) is so plain that it surely can be read and some text matches it.
// Law: never true for a pattern that is refused or matches nothing. Cost: a few ns a character.
// Source: ECMA-262, section 22.2.1, without look-around, references, `\b` and anchors inside.
#pragma once

#include <string_view>

namespace gramspec {

class PlainPattern {
 public:
  explicit PlainPattern(std::string_view text) : text_(text) {}
  bool run() { return text_.size() <= kLongest && alternatives(0) && at_ == text_.size(); }

 private:
  static constexpr std::size_t kLongest = 1'000;
  static constexpr int kDeepest = 20;
  static constexpr int kMostTimes = 1'000;

  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }

  bool alternatives(int depth) {
    if (depth > kDeepest) return false;
    for (;;) {
      if (depth == 0 && more() && peek() == '^') ++at_;
      bool ended = false;
      while (more() && peek() != '|' && peek() != ')') {
        if (ended) return false;
        if (peek() == '$' && depth == 0) {
          ++at_;
          ended = true;
        } else if (!item(depth)) {
          return false;
        }
      }
      if (!more() || peek() == ')') return true;
      ++at_;
    }
  }

  bool item(int depth) {
    if (!atom(depth)) return false;
    if (!more()) return true;
    const char c = peek();
    if (c == '*' || c == '+' || c == '?') {
      ++at_;
    } else if (c == '{') {
      ++at_;
      int least = 0;
      if (!count(least)) return false;
      int most = least;
      if (more() && peek() == ',') {
        ++at_;
        if (more() && peek() != '}' && !count(most)) return false;
      }
      if (!more() || peek() != '}' || most < least) return false;
      ++at_;
    } else {
      return true;
    }
    if (more() && peek() == '?') ++at_;  // lazy
    return !more() || (peek() != '*' && peek() != '+' && peek() != '?' && peek() != '{');
  }

  bool count(int& out) {
    if (!more() || peek() < '0' || peek() > '9') return false;
    int value = 0;
    for (; more() && peek() >= '0' && peek() <= '9'; ++at_) {
      value = 10 * value + (peek() - '0');
      if (value > kMostTimes) return false;
    }
    out = value;
    return true;
  }

  bool atom(int depth) {
    const char c = text_[at_++];
    switch (c) {
      case '(':
        if (more() && peek() == '?') {
          if (at_ + 1 >= text_.size() || text_[at_ + 1] != ':') return false;
          at_ += 2;
        }
        if (!alternatives(depth + 1) || !more() || peek() != ')') return false;
        ++at_;
        return true;
      case '[':
        return char_class();
      case '\\':
        return escape() >= 0;
      case '.':
        return true;
      case '^':
      case ']':
      case '{':
      case '}':
      case '*':
      case '+':
      case '?':
      case ')':
      case '|':
      case '$':
        return false;
      default:
        return c >= ' ' && c < 127;
    }
  }

  // The character of an escape; 0 for a set of characters, -1 for anything else.
  int escape() {
    if (!more()) return -1;
    const char c = text_[at_++];
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
      case 's':
      case 'S':
        return 0;
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case '.':
      case '/':
      case '\\':
      case '(':
      case ')':
      case '[':
      case ']':
      case '{':
      case '}':
      case '*':
      case '+':
      case '?':
      case '^':
      case '$':
      case '|':
        return c;
      default:
        return -1;
    }
  }

  // No set that is a complement itself in a complement: there is then always a character left.
  bool char_class() {
    const bool negated = more() && peek() == '^';
    if (negated) ++at_;
    if (!more() || peek() == ']') return false;
    int before = 0;  // the character before, 0: none that a range may begin with
    while (more() && peek() != ']') {
      char c = text_[at_++];
      int now = c;
      if (c == '[' || c < ' ' || c == 127 || static_cast<unsigned char>(c) > 127) return false;
      if (c == '-') {
        if (!more()) return false;
        if (before == 0 || peek() == ']') {
          before = 0;
          continue;
        }
        c = text_[at_++];
        now = c;
        if (c == '\\') now = escape();
        if (c == '[' || c < ' ' || c == 127 || static_cast<unsigned char>(c) > 127 || now < before)
          return false;
        before = 0;
        continue;
      }
      if (c == '\\') {
        if (more() && peek() == '-') {
          ++at_;
          now = '-';
        } else {
          if (negated && more() && (peek() == 'D' || peek() == 'W' || peek() == 'S')) return false;
          now = escape();
        }
        if (now < 0) return false;
      }
      // A set of characters begins no range.
      if (now == 0 && more() && peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']')
        return false;
      before = now;
    }
    if (!more()) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline bool plain_pattern(std::string_view text) { return PlainPattern(text).run(); }

}  // namespace gramspec
