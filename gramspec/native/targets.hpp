// Where masks are written: the rows of an array of int32 that Python owns.
// Law: the memory stays in place while a target is alive; what does not fit is a ValueError.
// Cost: 0.1 us for NumPy; other arrays are looked at in Python first.
// Source: CPython C API, "Buffer Protocol".
#pragma once

#include <nanobind/nanobind.h>

#include <span>

#include "common.hpp"

namespace gramspec {

// An int in the sense of operator.index; too large ones count as kNone.
Id to_id(nanobind::handle number);

class Targets {
 public:
  Targets(nanobind::handle array, std::size_t words, Id vocabulary_size);
  ~Targets() { PyBuffer_Release(&view_); }
  Targets(const Targets&) = delete;
  Targets& operator=(const Targets&) = delete;

  [[nodiscard]] std::int64_t rows() const noexcept { return view_.shape[0]; }
  [[nodiscard]] std::span<std::uint32_t> row(std::int64_t index) const;

 private:
  [[nodiscard]] bool fits(std::size_t words) const noexcept;

  Py_buffer view_{};
  std::size_t words_;
};

}  // namespace gramspec
