// Errors. Every one names what was got, what was expected and what to do: "[conv2d] weight has 3 input channels, ...".
// The bindings turn each class into the Python exception of the same name.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace cinta {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ValueError : Error {
  using Error::Error;
};
struct TypeError : Error {
  using Error::Error;
};
struct IndexError : Error {
  using Error::Error;
};
struct RuntimeError : Error {
  using Error::Error;
};
struct MemoryError : Error {
  using Error::Error;
};

template <class... Pieces> std::string join(const Pieces &...pieces) {
  std::ostringstream text;
  (text << ... << pieces);
  return text.str();
}

template <class E, class... Pieces> [[noreturn, gnu::cold, gnu::noinline]] void fail(const Pieces &...pieces) {
  throw E(join(pieces...));
}

} // namespace cinta
