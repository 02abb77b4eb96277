#include <cstdint>
#include <cstring>

#include "cograd/engine/error.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/models/state_dict.h"
#include "tests/fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Makes the length of the header right again, which nearly every change breaks, in most inputs.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  constexpr std::size_t kPrefix = sizeof(std::uint64_t);
  size = LLVMFuzzerMutate(data, size, max_size);
  if (size < kPrefix || seed % 8 == 0) return size;
  std::size_t end = size;
  while (end > kPrefix && data[end - 1] != '}') --end;
  const std::uint64_t length = end - kPrefix;
  std::memcpy(data, &length, kPrefix);
  return size;
}

/// And what predict does with weights before and while it loads them.
void cograd::fuzz::read_untrusted(const std::filesystem::path& path) {
  const Safetensors weights = unwrapped(read_safetensors(path));
  try {
    require_finite(weights, "fuzz");
    const ModelCard card = parse_card(weights.metadata, "fuzz");
    require_fitting(card, weights, "fuzz");
    load_state(*make_model(card.model, card.options), weights);
  } catch (const Error&) {
  }
}
