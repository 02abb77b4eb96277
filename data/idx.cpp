#include "cograd/data/idx.h"

#include <algorithm>
#include <array>

#include "cograd/data/gzip_reader.h"
#include "cograd/engine/content_kind.h"
#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 33;  // no set of this kind is larger
constexpr std::size_t kChunk = std::size_t{1} << 20;

std::string shown(const std::filesystem::path& path) { return printable(path.native()); }

/// The name of an element type other than unsigned bytes; null if there is none.
const char* name_of_type(std::uint8_t type) {
  switch (type) {
    case 0x09:
      return "signed bytes";
    case 0x0B:
      return "16-bit integers";
    case 0x0C:
      return "32-bit integers";
    case 0x0D:
      return "32-bit floats";
    case 0x0E:
      return "64-bit floats";
    default:
      return nullptr;
  }
}

/// Throws FormatError unless these begin an IDX file of unsigned bytes.
void check_magic(const std::array<std::uint8_t, 4>& magic, const std::filesystem::path& path) {
  const char* type = magic[0] == 0 && magic[1] == 0 ? name_of_type(magic[2]) : nullptr;
  require<FormatError>(type == nullptr,
                       "[idx] {} holds {} (type {:#04x}): expected unsigned bytes (0x08)",
                       shown(path), type != nullptr ? type : "", magic[2]);
  const std::string_view kind =
      what_it_is({reinterpret_cast<const char*>(magic.data()), magic.size()});
  require<FormatError>(magic[0] == 0 && magic[1] == 0 && magic[2] == kUnsignedByte &&
                           magic[3] >= 1 && magic[3] <= Shape::kMaxRank,
                       "[idx] {} begins with {:02x}{:02x}{:02x}{:02x}{}: expected 0000 08 "
                       "(unsigned bytes) and 1 to {} axes",
                       shown(path), magic[0], magic[1], magic[2], magic[3],
                       kind.empty() ? "" : fmt::format(" ({})", kind), Shape::kMaxRank);
}

}  // namespace

Idx read_idx(const std::filesystem::path& path) {
  GzipReader reader(path, "idx");
  std::array<std::uint8_t, 4> magic{};
  require<FormatError>(reader.read(magic.data(), 4) == 4,
                       "[idx] {} is too short for a magic number", shown(path));
  check_magic(magic, path);

  std::vector<std::int64_t> extents;
  std::uint64_t count = 1;
  for (int axis = 0; axis < magic[3]; ++axis) {
    std::array<std::uint8_t, 4> b{};
    require<FormatError>(reader.read(b.data(), 4) == 4, "[idx] {} ends inside its header",
                         shown(path));
    const std::uint64_t extent = std::uint64_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3];
    require<FormatError>(extent == 0 || count <= kMaxElements / extent,
                         "[idx] {} claims an absurd size of more than {} bytes", shown(path),
                         kMaxElements);
    count *= extent;
    extents.push_back(static_cast<std::int64_t>(extent));
  }

  // Read in chunks: a false header must not make us allocate all that it claims.
  Idx idx{Shape(extents), {}};
  while (idx.values.size() < count) {
    const std::size_t have = idx.values.size();
    const std::size_t want = std::min<std::uint64_t>(kChunk, count - have);
    idx.values.resize(have + want);
    const std::size_t got = reader.read(idx.values.data() + have, want);
    require<FormatError>(got == want, "[idx] {} is truncated: {} of {} bytes of shape {}",
                         shown(path), have + got, count, idx.shape);
  }
  std::uint8_t extra = 0;
  require<FormatError>(reader.read(&extra, 1) == 0,
                       "[idx] {} has more data than the {} bytes of its shape {}", shown(path),
                       count, idx.shape);
  return idx;
}

}  // namespace cograd
