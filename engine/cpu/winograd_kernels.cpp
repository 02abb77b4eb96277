// Winograd's algorithm F(2x2, 3x3), a row of tiles at a time; the formulas are in winograd.h.
// Transformed numbers lie as 16 matrices, one per point.
#include "cograd/engine/cpu/winograd_kernels.h"

#include "cograd/engine/cpu/simd/register_block.h"

namespace cograd::cpu::COGRAD_SIMD_NAMESPACE {
namespace {

using simd::kPack;
using namespace simd::COGRAD_SIMD_NAMESPACE;

using Vector = Floats<16>;  // of neighbouring channels

/// The k-th number of T from each of a pack of vectors, side by side.
void store_packed(float* to, const Vector (&pack)[1]) { store<16>(to, pack[0]); }
void store_packed(std::uint16_t* to, const Vector (&pack)[2]) {
  typename Vectors<32>::Halves halves;
#ifdef __AVX512BF16__
  const auto both = _mm512_cvtne2ps_pbh((__m512)pack[1], (__m512)pack[0]);
  std::memcpy(&halves, &both, sizeof halves);
#else
  std::uint16_t both[32];
  store<16>(both, pack[0]);
  store<16>(both + 16, pack[1]);
  std::memcpy(&halves, both, sizeof halves);
#endif
  halves =
      __builtin_shufflevector(halves, halves, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                              23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  std::memcpy(to, &halves, sizeof halves);
}

/// As store<16>, by the processor's own instruction where it has one.
template <class T>
void store_rounded(T* to, Vector v) {
#ifdef __AVX512BF16__
  if constexpr (sizeof(T) == 2) {
    const auto halves = _mm512_cvtneps_pbh((__m512)v);
    std::memcpy(to, &halves, sizeof halves);
    return;
  }
#endif
  store<16>(to, v);
}

/// Pixel (row, column) of a channel block; zero outside.
template <class T>
Vector pixel(const ImageBlocks<const T>& x, const T* block, std::int64_t row, std::int64_t column) {
  if (row < 0 || row >= x.height || column < 0 || column >= x.width) return Vector{};
  return load<16>(block + (row * x.width + column) * x.pixel);
}

/// B^T d.
void input_transform(const Vector (&d)[4], Vector (&to)[4]) {
  to[0] = d[0] - d[2];
  to[1] = d[1] + d[2];
  to[2] = d[2] - d[1];
  to[3] = d[1] - d[3];
}

/// tile(t, points) for the transformed tiles B^T d B of a row, from left to right. The tiles
/// overlap by two columns, which are transformed once.
template <class T, class Tile>
void for_each_input(const ImageBlocks<const T>& x, const T* block, std::int64_t top,
                    std::int64_t left, std::int64_t tiles, const Tile& tile) {
  Vector columns[4][4];  // [column][row]
  const auto read = [&](std::int64_t column, Vector(&to)[4]) {
    Vector d[4];
    for (int i = 0; i < 4; ++i) d[i] = pixel(x, block, top + i, column);
    input_transform(d, to);
  };
  read(left, columns[0]);
  read(left + 1, columns[1]);
  for (std::int64_t t = 0; t < tiles; ++t) {
    read(left + 2 * t + 2, columns[2]);
    read(left + 2 * t + 3, columns[3]);
    Vector points[4][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Vector row[4] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
      input_transform(row, points[i]);
      columns[0][i] = columns[2][i];
      columns[1][i] = columns[3][i];
    }
    tile(t, points);
  }
}

template <class T>
void input(const ImageBlocks<const T>& x, std::int64_t top, std::int64_t left, std::int64_t tiles,
           T* out, std::int64_t point) {
  for (std::int64_t b = 0; b < x.blocks; ++b) {
    for_each_input(x, x.data + b * x.block, top, left, tiles,
                   [&](std::int64_t t, const Vector(&points)[4][4]) {
                     T* to = out + (t * x.blocks + b) * 16;
#pragma GCC unroll 16
                     for (int i = 0; i < kTilePoints; ++i) {
                       store_rounded(to + i * point, points[i / 4][i % 4]);
                     }
                   });
  }
}

/// Collects the tiles of a row until they make a pack, and stores them.
template <class T>
class Packer {
 public:
  Packer(T* out, std::int64_t row, std::int64_t point) : out_(out), row_(row), point_(point) {}

  void add(std::int64_t t, const Vector (&points)[4][4]) {
    const auto member = static_cast<std::size_t>(t % kPack<T>);
    for (int i = 0; i < kTilePoints; ++i) packs_[i][member] = points[i / 4][i % 4];
    if (member == kPack<T> - 1) put(t / kPack<T>);
  }
  /// Fills up the last pack with zeros.
  void finish(std::int64_t tiles) {
    if (tiles % kPack<T> == 0) return;
    for (auto& pack : packs_) pack[kPack<T> - 1] = Vector{};
    put(tiles / kPack<T>);
  }

 private:
  void put(std::int64_t index) const {
    T* to = out_ + index * row_ * kPack<T>;
    for (int i = 0; i < kTilePoints; ++i) store_packed(to + i * point_, packs_[i]);
  }

  T* out_;
  std::int64_t row_, point_;
  Vector packs_[kTilePoints][kPack<T>];
};

template <class T>
void packed_input(const ImageBlocks<const T>& x, std::int64_t top, std::int64_t left,
                  std::int64_t tiles, T* out, std::int64_t row, std::int64_t point) {
  for (std::int64_t b = 0; b < x.blocks; ++b) {
    Packer<T> packer(out + b * 16 * kPack<T>, row, point);
    for_each_input(x, x.data + b * x.block, top, left, tiles,
                   [&](std::int64_t t, const Vector(&points)[4][4]) { packer.add(t, points); });
    packer.finish(tiles);
  }
}

/// A d.
void gradient_transform(Vector first, Vector second, Vector (&to)[4]) {
  to[0] = first;
  to[1] = first + second;
  to[2] = first - second;
  to[3] = -second;
}

template <class T>
void output_gradient(const ImageBlocks<const T>& dy, std::int64_t top, std::int64_t tiles, T* out,
                     std::int64_t row, std::int64_t point) {
  for (std::int64_t b = 0; b < dy.blocks; ++b) {
    const T* block = dy.data + b * dy.block;
    Packer<T> packer(out + b * 16 * kPack<T>, row, point);
    for (std::int64_t t = 0; t < tiles; ++t) {
      Vector columns[2][4], points[4][4];
      for (int j = 0; j < 2; ++j) {
        gradient_transform(pixel(dy, block, top, 2 * t + j), pixel(dy, block, top + 1, 2 * t + j),
                           columns[j]);
      }
      for (int i = 0; i < 4; ++i) gradient_transform(columns[0][i], columns[1][i], points[i]);
      packer.add(t, points);
    }
    packer.finish(tiles);
  }
}

/// G g.
void filter_transform(Vector first, Vector second, Vector third, Vector (&to)[4]) {
  const Vector outer = first + third;
  to[0] = first;
  to[1] = (outer + second) * 0.5f;
  to[2] = (outer - second) * 0.5f;
  to[3] = third;
}

/// G g G^T of 16 filters that lie `apart`.
void filter_points(const float* w, std::int64_t apart, bool turned, Vector (&points)[4][4]) {
  Vector g[16];  // [tap][filter] once transposed
  for (int i = 0; i < 16; ++i) {
#ifdef __AVX512F__
    g[i] = (Vector)_mm512_maskz_loadu_ps(0x1ff, w + i * apart);
#else
    g[i] = Vector{};
    std::memcpy(&g[i], w + i * apart, 9 * sizeof(float));
#endif
  }
  transpose(g);
  Vector columns[3][4];
  for (int j = 0; j < 3; ++j) {
    const auto tap = [&](int i) { return g[turned ? 8 - 3 * i - j : 3 * i + j]; };
    filter_transform(tap(0), tap(1), tap(2), columns[j]);
  }
  for (int i = 0; i < 4; ++i) {
    filter_transform(columns[0][i], columns[1][i], columns[2][i], points[i]);
  }
}

template <class T>
void filters(const float* w, std::int64_t output, std::int64_t input, bool turned,
             std::int64_t blocks, T* out, std::int64_t point) {
  for (int b = 0; b < 2; ++b) {
    Vector points[kPack<T>][4][4] = {};
    for (int k = 0; k < kPack<T> && b < blocks; ++k) {
      filter_points(w + 16 * b * output + k * input, output, turned, points[k]);
    }
    for (int i = 0; i < kTilePoints; ++i) {
      Vector pack[kPack<T>];
      for (int k = 0; k < kPack<T>; ++k) pack[k] = points[k][i / 4][i % 4];
      store_packed(out + i * point + 16 * b * kPack<T>, pack);
    }
  }
}

/// M rows of matmul(), 2 kLanes columns.
template <int M, class T>
void multiply_rows(const T* a, std::int64_t a_row, std::int64_t a_column, const T* b,
                   std::int64_t b_row, std::int64_t depth, float* to) {
  Floats<kLanes> sums[M][2] = {};
  add_products(a, a_row, a_column, b, b_row, depth, sums);
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i) {
    store<kLanes>(to + i * kPanelColumns, sums[i][0]);
    store<kLanes>(to + i * kPanelColumns + kLanes, sums[i][1]);
  }
}

template <class T>
void matmul(const T* a, std::int64_t a_row, std::int64_t a_column, const T* b, std::int64_t b_row,
            std::int64_t depth, std::int64_t m, float* sums) {
  for (std::int64_t column = 0; column < kPanelColumns; column += 2 * kLanes) {
    for_row_blocks(m, [&](std::int64_t first, auto rows) {
      multiply_rows<rows()>(a + first * a_row, a_row, a_column, b + column * kPack<T>, b_row, depth,
                            sums + first * kPanelColumns + column);
    });
  }
}

/// A^T m.
void output_transform(Vector a, Vector b, Vector c, Vector d, Vector (&to)[2]) {
  to[0] = a + b + c;
  to[1] = b - c - d;
}

template <class T>
void output(const float* sums, std::int64_t point, std::int64_t tiles, const float* bias,
            const ImageBlocks<T>& y, std::int64_t top) {
  for (std::int64_t b = 0; b < y.blocks; ++b) {
    const Vector add = bias == nullptr ? Vector{} : load<16>(bias + 16 * b);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const float* m = sums + t * kPanelColumns + 16 * b;
      Vector columns[4][2];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        output_transform(load<16>(m + j * point), load<16>(m + (4 + j) * point),
                         load<16>(m + (8 + j) * point), load<16>(m + (12 + j) * point), columns[j]);
      }
      for (int i = 0; i < 2 && top + i < y.height; ++i) {
        Vector row[2];
        output_transform(columns[0][i], columns[1][i], columns[2][i], columns[3][i], row);
        T* to = y.data + b * y.block + ((top + i) * y.width + 2 * t) * y.pixel;
        store_rounded(to, row[0] + add);
        if (2 * t + 1 < y.width) store_rounded(to + y.pixel, row[1] + add);
      }
    }
  }
}

/// G^T s.
void weight_gradient_transform(Vector a, Vector b, Vector c, Vector d, Vector (&to)[3]) {
  const Vector half = (b + c) * 0.5f;
  to[0] = a + half;
  to[1] = (b - c) * 0.5f;
  to[2] = half + d;
}

void weight_gradient(const float* sums, std::int64_t point, std::int64_t rows, std::int64_t blocks,
                     float* dw, std::int64_t dw_row, bool accumulate) {
  for (int b = 0; b < 2 && b < blocks; ++b) {
    for (std::int64_t first = 0; first < rows; first += 16) {
      Vector taps[9][16];  // as 16 filters of 9 taps follow each other in dw
      for (int i = 0; i < 16; ++i) {
        const float* s = sums + (first + i) * kPanelColumns + 16 * b;
        Vector columns[4][3];
        for (int j = 0; j < 4; ++j) {
          weight_gradient_transform(load<16>(s + j * point), load<16>(s + (4 + j) * point),
                                    load<16>(s + (8 + j) * point), load<16>(s + (12 + j) * point),
                                    columns[j]);
        }
        for (int r = 0; r < 3; ++r) {
          Vector row[3];
          weight_gradient_transform(columns[0][r], columns[1][r], columns[2][r], columns[3][r],
                                    row);
          for (int j = 0; j < 3; ++j) {
            const int at = 9 * i + 3 * r + j;
            taps[at / 16][at % 16] = row[j];
          }
        }
      }
      for (int k = 0; k < 9; ++k) {
        transpose(taps[k]);
        for (int o = 0; o < 16; ++o) {
          float* to = dw + (16 * b + o) * dw_row + first * 9 + 16 * k;
          store<16>(to, accumulate ? load<16>(to) + taps[k][o] : taps[k][o]);
        }
      }
    }
  }
}

template <class T>
constexpr WinogradKernels<T> table() {
  return {.input = input<T>,
          .packed_input = packed_input<T>,
          .output_gradient = output_gradient<T>,
          .filters = filters<T>,
          .matmul = matmul<T>,
          .output = output<T>,
          .weight_gradient = weight_gradient};
}

}  // namespace

const WinogradKernels<float> kWinogradF32 = table<float>();
const WinogradKernels<std::uint16_t> kWinogradBf16 = table<std::uint16_t>();

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
