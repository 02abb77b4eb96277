#include "tests/support/cuda_emulator/ledger.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstring>
#include <map>
#include <utility>

#include "cograd/engine/cuda/traffic.h"

namespace cuda_emulator {
namespace {

Ledger* ledger = nullptr;
Watch watch = Watch::entries;
cograd::cuda::Traffic declared{""};  // of the next launch

std::map<char*, std::size_t>& blocks() {
  static auto& all = *new std::map<char*, std::size_t>;
  return all;
}

/// The pages that a kernel touches: none is accessible when it begins, and each fault opens one.
class TouchedPages {
 public:
  TouchedPages() {
    current = this;
    struct sigaction action {};
    action.sa_sigaction = &TouchedPages::fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &before_);
    protect(PROT_NONE);
  }
  ~TouchedPages() {
    protect(PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &before_, nullptr);
    current = nullptr;
  }
  TouchedPages(const TouchedPages&) = delete;
  TouchedPages& operator=(const TouchedPages&) = delete;

  std::int64_t read = 0, written = 0;

 private:
  static void protect(int how) {
    for (const auto& [begin, bytes] : blocks()) mprotect(begin, bytes, how);
  }
  static void fault(int, siginfo_t* info, void* context) {
    auto* address = static_cast<char*>(info->si_addr);
    auto block = blocks().upper_bound(address);
    if (block == blocks().begin() ||
        address >= std::prev(block)->first + std::prev(block)->second) {
      sigaction(SIGSEGV, &current->before_, nullptr);  // no fault of ours: it comes again
      return;
    }
    char* page = address - reinterpret_cast<std::uintptr_t>(address) % kPage;
    bool writes = true;
#ifdef __x86_64__
    writes = (static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#else
    (void)context;
#endif
    (writes ? current->written : current->read) += kPage;
    mprotect(page, kPage, writes ? PROT_READ | PROT_WRITE : PROT_READ);
  }

  static TouchedPages* current;
  struct sigaction before_ {};
};
TouchedPages* TouchedPages::current = nullptr;

}  // namespace

Ledger::Ledger(Watch how) {
  ledger = this;
  watch = how;
  cograd::cuda::traffic_observer = [](const cograd::cuda::Traffic& traffic) { declared = traffic; };
}

Ledger::~Ledger() {
  ledger = nullptr;
  watch = Watch::entries;
  cograd::cuda::traffic_observer = nullptr;
}

void queue(Entry entry, std::function<void()> work) {
  if (entry.kind == Kind::kernel) {
    entry.name = declared.kernel;
    entry.read = declared.read;
    entry.written = declared.written;
    declared = {""};
  }
  const bool library = entry.kind == Kind::cudnn || entry.kind == Kind::cublas;
  if (ledger != nullptr) ledger->entries.push_back(entry);
  if (watch == Watch::shapes || (watch == Watch::pages && library)) return;
  if (watch == Watch::entries || entry.kind == Kind::copy) return do_or_record(std::move(work));
  const TouchedPages touched;
  work();
  ledger->entries.back().pages_read = touched.read;
  ledger->entries.back().pages_written = touched.written;
}

void* allocate(std::size_t bytes) {
  const std::size_t whole = (bytes + kPage - 1) / kPage * kPage;
  void* memory = mmap(nullptr, whole, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  blocks()[static_cast<char*>(memory)] = whole;
  if (watch != Watch::shapes) std::memset(memory, 0xFF, bytes);  // NaN to whoever reads it first
  return memory;
}

void deallocate(void* memory) {
  const auto block = blocks().find(static_cast<char*>(memory));
  munmap(memory, block->second);
  blocks().erase(block);
}

}  // namespace cuda_emulator
