// Typed errors. Library code throws these; only a main() prints them.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace cograd {

/// Base of every error this library throws. what() is one line that names the thing, what was wrong
/// with it and what was expected.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A tensor has the wrong shape.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A tensor has the wrong element type.
class DtypeError : public Error {
 public:
  using Error::Error;
};

/// A device is missing or fails, or two tensors live on different backends.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A device has no memory left, for now.
class MemoryError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// An argument or option is out of its range.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A file cannot be opened, read or written.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A file can be read, but its content is not what its format promises.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// An image file is broken.
class ImageError : public FormatError {
 public:
  using FormatError::FormatError;
};

/// A loss or a gradient became infinite or not a number.
class NonFiniteError : public Error {
 public:
  using Error::Error;
};

/// Throws E with a formatted message unless `ok`.
template <class E, class... Args>
void require(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) throw E(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace cograd
