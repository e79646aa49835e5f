#include "cursor.hpp"

#include <algorithm>

namespace gramspec {

void History::drop(Past* past) noexcept {
  while (past != nullptr && --past->owners == 0) {
    Past* before = past->before;
    delete past;
    past = before;
  }
}

Id History::pop(Id count) noexcept {
  Past* past = last_;
  for (Id i = 1; i < count; ++i) past = past->before;
  const Id config = past->config;
  Past* before = past->before;
  if (before != nullptr) ++before->owners;
  drop(last_);
  last_ = before;
  length_ -= count;
  return config;
}

std::vector<Id> History::tokens() const {
  std::vector<Id> out;
  out.reserve(static_cast<std::size_t>(length_));
  for (const Past* past = last_; past != nullptr; past = past->before) out.push_back(past->token);
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace gramspec
