#include "targets.hpp"

#include <string_view>

namespace gramspec {

namespace nb = nanobind;

namespace {
constexpr int kFlags = PyBUF_WRITABLE | PyBUF_STRIDES | PyBUF_FORMAT;
}

Id to_id(nb::handle number) {
  Py_ssize_t value = 0;
  if (PyLong_CheckExact(number.ptr())) {
    value = PyLong_AsSsize_t(number.ptr());
  } else {
    value = PyNumber_AsSsize_t(number.ptr(), nullptr);  // clipped where it is too large
  }
  if (value == -1 && PyErr_Occurred() != nullptr) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError) == 0) throw nb::python_error();
    PyErr_Clear();
    return kNone;
  }
  return value < 0 || value > INT32_MAX ? kNone : static_cast<Id>(value);
}

Targets::Targets(nb::handle array, std::size_t words, Id vocabulary_size) : words_(words) {
  if (PyObject_CheckBuffer(array.ptr()) != 0) {
    if (PyObject_GetBuffer(array.ptr(), &view_, kFlags) == 0) {
      if (fits(words)) return;
      PyBuffer_Release(&view_);
    } else {
      PyErr_Clear();
    }
  }
  // Tensors, and arrays that cannot serve: Python says why.
  const nb::object shared =
      nb::module_::import_("gramspec.matching.bitmasks").attr("shared")(array, vocabulary_size);
  if (PyObject_GetBuffer(shared.ptr(), &view_, kFlags) != 0) throw nb::python_error();
  if (!fits(words)) {
    PyBuffer_Release(&view_);
    throw nb::value_error("a bitmask is a writable array of int32, contiguous along its rows");
  }
}

bool Targets::fits(std::size_t words) const noexcept {
  const std::string_view format = view_.format == nullptr ? "" : view_.format;
  return view_.ndim == 2 && view_.itemsize == 4 && (format == "i" || format == "l") &&
         static_cast<std::size_t>(view_.shape[1]) == words && (words == 1 || view_.strides[1] == 4);
}

std::span<std::uint32_t> Targets::row(std::int64_t index) const {
  if (index < 0 || index >= rows()) {
    throw nb::value_error(
        ("row " + std::to_string(index) + " of a bitmask of " + std::to_string(rows()) + " rows").c_str());
  }
  auto* data = static_cast<char*>(view_.buf) + index * view_.strides[0];
  return {reinterpret_cast<std::uint32_t*>(data), words_};
}

}  // namespace gramspec
