// JSON spellings of one text (see Exprs::spelled for those of a language).
// Cost: one pass over the text.
// Source: RFC 8259 section 7.
#pragma once

#include <cstdint>
#include <string>

namespace gramspec {

class Exprs;

// The characters of a JSON string body, as UTF-8; false if the body is cut inside an escape.
bool unescape(const std::string& body, std::string& out);

// The shortest spelling of a name that the writable bytes allow; false if they allow none.
bool canonical_spelling(const Exprs& exprs, const std::string& name, std::string& out);

// The escape in which a body is cut, with the high surrogate before it; and the fewest bytes that go on from
// there to a body that ends with `rest` (kUnreachable if none do).
std::string open_escape(const std::string& body);
std::int64_t escape_rest(const Exprs& exprs, const std::string& escape, const std::string& rest);

}  // namespace gramspec
