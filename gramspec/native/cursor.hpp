// The state of one sequence: a configuration of an engine, and the tokens and configurations before it.
// Law: forks share their history; nobody changes what is shared. Only the holder of the GIL touches a cursor.
// Cost: 24 bytes a token, shared by forks; a fork copies a pointer.
// Source: architecture, "A configuration has an integer id" (fork is O(1)).
#pragma once

#include <utility>
#include <vector>

#include "engine.hpp"

namespace gramspec {

class History {
 public:
  History() = default;
  History(const History& other) noexcept : last_(other.last_), length_(other.length_) {
    if (last_ != nullptr) ++last_->owners;
  }
  History(History&& other) noexcept { swap(other); }
  History& operator=(History other) noexcept {
    swap(other);
    return *this;
  }
  ~History() { drop(last_); }

  // A token, and the configuration before it.
  void push(Id token, Id config) {
    last_ = new Past{1, token, config, last_};
    ++length_;
  }
  // Take back the last tokens: the configuration before them.
  Id pop(Id count) noexcept;
  [[nodiscard]] Id length() const noexcept { return length_; }
  [[nodiscard]] std::vector<Id> tokens() const;

 private:
  struct Past {
    std::uint32_t owners;
    Id token;
    Id config;
    Past* before;
  };
  void swap(History& other) noexcept {
    std::swap(last_, other.last_);
    std::swap(length_, other.length_);
  }
  static void drop(Past* past) noexcept;

  Past* last_ = nullptr;
  Id length_ = 0;
};

class Cursor {
 public:
  static constexpr Id kFinished = -1;

  Engine* engine = nullptr;  // kept alive by who holds the cursor
  const CancelFlag* cancelled = nullptr;
  History history;
  Id config = kFinished;
  bool residual = false;  // Python has more to say about its masks

  [[nodiscard]] bool finished() const noexcept { return config == kFinished; }
};

}  // namespace gramspec
