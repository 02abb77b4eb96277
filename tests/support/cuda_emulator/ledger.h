// What is queued on the emulated device, one entry after another: launches, calls of libraries and
// copies, with the bytes that each must move.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cuda_emulator {

enum class Kind : std::uint8_t { kernel, cudnn, cublas, copy };

struct Entry {
  Kind kind = Kind::kernel;
  std::string name;  ///< of a kernel of ours: as declared
  cudaStream_t stream = nullptr;
  dim3 blocks{}, threads{};            ///< of a kernel of ours
  std::int64_t read = 0, written = 0;  ///< bytes: of kernels as declared, else by the extents
  std::int64_t pages_read = 0, pages_written = 0;  ///< bytes of pages touched: see Watch::pages
};

enum class Watch : std::uint8_t {
  entries,  ///< all work is done
  shapes,   ///< none is done, and memory is only reserved: steps of any size can be walked
  pages     ///< kernels of ours are done, and what they touch is found out by page faults (x86-64)
};
constexpr std::int64_t kPage = 4096;

/// Keeps the entries of what is queued while it lives; one at a time.
class Ledger {
 public:
  explicit Ledger(Watch watch = Watch::entries);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  std::vector<Entry> entries;
};

/// Does `work` of the stream, which `entry` describes: as the Ledger wants it, or by do_or_record().
void queue(Entry entry, std::function<void()> work);
/// Now, or whenever the graph that is being recorded is launched.
void do_or_record(std::function<void()> work);

/// Memory of the device: of its own pages.
void* allocate(std::size_t bytes);
void deallocate(void* memory);

}  // namespace cuda_emulator
