// The parts of the module gramspec._native, one function a file.
// Law: every argument is checked here or in Python; no exception of C++ leaves as anything but a Python
// error. Source: nanobind.
#pragma once

#include <nanobind/nanobind.h>

namespace gramspec {

void bind_matching(nanobind::module_& m);
void bind_partition(nanobind::module_& m);

}  // namespace gramspec
