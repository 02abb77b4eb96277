#include "cograd/data/gzip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

std::string shown(const std::filesystem::path& path) { return printable(path.native()); }

}  // namespace

GzipReader::GzipReader(std::filesystem::path path, std::string kind)
    : path_(std::move(path)), kind_(std::move(kind)) {
  std::error_code unreadable;  // counts as "not a file"
  require<IoError>(std::filesystem::is_regular_file(path_, unreadable), "[{}] {} is not a file",
                   kind_, shown(path_));
  file_ = gzopen(path_.c_str(), "rb");
  require<IoError>(file_ != nullptr, "[{}] cannot open {}", kind_, shown(path_));
  gzbuffer(file_, 1 << 17);
}

GzipReader::~GzipReader() { gzclose(file_); }

std::size_t GzipReader::read(void* to, std::size_t bytes) {
  const int n = gzread(file_, to, static_cast<unsigned>(bytes));
  int code = Z_OK;
  std::string message = gzerror(file_, &code);
  const std::string prefix = path_.native() + ": ";
  if (message.starts_with(prefix)) message.erase(0, prefix.size());
  require<IoError>(code != Z_ERRNO, "[{}] {} cannot be read: {}", kind_, shown(path_), message);
  // Z_BUF_ERROR: the compressed stream ends too early.
  require<FormatError>(n >= 0 && (code == Z_OK || code == Z_STREAM_END),
                       "[{}] {} cannot be decompressed: {}", kind_, shown(path_), message);
  return static_cast<std::size_t>(n);
}

std::string GzipReader::read_rest(std::size_t limit) {
  std::string content;
  for (std::size_t got = 1; got > 0;) {
    const std::size_t have = content.size();
    content.resize(have + kChunk);
    got = read(content.data() + have, kChunk);
    content.resize(have + got);
    require<FormatError>(content.size() <= limit, "[{}] {} holds more than {} bytes", kind_,
                         shown(path_), limit);
  }
  return content;
}

}  // namespace cograd
