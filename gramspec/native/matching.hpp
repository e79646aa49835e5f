// What Python knows as a Cursor, and the masks of one and of many of them.
// Source: API, section 3.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "cursor.hpp"

namespace gramspec {

struct PyCursor : Cursor {
  nanobind::object core;    // the engine
  nanobind::object basis;   // the grammar in it, as Python knows it
  nanobind::object cancel;  // None, or the token that `cancelled` points to
};

// The numbers of a sequence; see `to_id`.
std::vector<Id> to_ids(nanobind::handle numbers);

// The mask of the next token, made if it is not remembered.
void fill_row(PyCursor& c, std::span<std::uint32_t> out);

// One row for each matcher, on at most so many threads. Returns the numbers of those of whose masks Python
// has more to say.
std::vector<std::size_t> fill_many(const nanobind::sequence& matchers, nanobind::handle array,
                                   nanobind::handle rows, int threads);

}  // namespace gramspec
