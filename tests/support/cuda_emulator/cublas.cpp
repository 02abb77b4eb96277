// The part of cuBLASLt that engine/cuda calls: plain loops over column-major matrices.
#include <cublasLt.h>

#include <cstring>
#include <map>

#include "cograd/engine/bf16.h"
#include "tests/support/cuda_emulator/faults.h"
#include "tests/support/cuda_emulator/ledger.h"

namespace {

using cograd::Bf16;

float at(const void* values, std::uint64_t type, std::int64_t i) {
  return type == CUDA_R_16BF ? float{static_cast<const Bf16*>(values)[i]}
                             : static_cast<const float*>(values)[i];
}
void put(void* values, std::uint64_t type, std::int64_t i, float value) {
  if (type == CUDA_R_16BF) {
    static_cast<Bf16*>(values)[i] = Bf16(value);
  } else {
    static_cast<float*>(values)[i] = value;
  }
}
std::size_t size(std::uint64_t type) { return type == CUDA_R_16BF ? 2 : 4; }

/// Where the fields of a matrix's description lie; the library's own attributes follow.
enum Field {
  kType,
  kRows,
  kColumns,
  kLeading,
  kBatch = CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
  kStride = CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET
};
static_assert(kBatch > kLeading && kStride > kLeading && kBatch < 8 && kStride < 8);

const char* matrix(const void* base, const cublasLtMatrixLayoutOpaque_t& layout,
                   std::uint64_t batch) {
  return static_cast<const char*>(base) + batch * layout.data[kStride] * size(layout.data[kType]);
}

/// The attributes of a preference.
using Preference = std::map<int, std::uint64_t>;
Preference& of(cublasLtMatmulPreference_t preference) {
  return *reinterpret_cast<Preference*>(preference);
}

/// What an algorithm relies on, in its opaque words: the alignments of A, B and D in bytes. Its
/// number follows.
enum Word { kAlignA, kAlignB, kAlignD, kNumber };

bool lies_at(const void* p, std::uint64_t alignment) {
  return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

/// D = op(A) op(B) + add D (+ bias along the rows).
void multiply(const void* a, const cublasLtMatrixLayoutOpaque_t& a_layout, bool ta, const void* b,
              const cublasLtMatrixLayoutOpaque_t& b_layout, bool tb, const void* bias, float add,
              void* d, const cublasLtMatrixLayoutOpaque_t& d_layout, std::uint64_t k) {
  const std::uint64_t m = d_layout.data[kRows], n = d_layout.data[kColumns];
  for (std::uint64_t batch = 0; batch < d_layout.data[kBatch]; ++batch) {
    const char *A = matrix(a, a_layout, batch), *B = matrix(b, b_layout, batch);
    char* D = const_cast<char*>(matrix(d, d_layout, batch));
    const auto lda = a_layout.data[kLeading], ldb = b_layout.data[kLeading],
               ldd = d_layout.data[kLeading];
    for (std::uint64_t i = 0; i < m; ++i) {
      for (std::uint64_t j = 0; j < n; ++j) {
        double sum =
            bias != nullptr ? at(bias, d_layout.data[kType], static_cast<std::int64_t>(i)) : 0.0f;
        for (std::uint64_t l = 0; l < k; ++l) {
          const std::uint64_t p = ta ? l + i * lda : i + l * lda,
                              q = tb ? j + l * ldb : l + j * ldb;
          sum += double{at(A, a_layout.data[kType], static_cast<std::int64_t>(p))} *
                 at(B, b_layout.data[kType], static_cast<std::int64_t>(q));
        }
        const auto to = static_cast<std::int64_t>(i + j * ldd);
        if (add != 0.0f) sum += add * at(D, d_layout.data[kType], to);
        put(D, d_layout.data[kType], to, static_cast<float>(sum));
      }
    }
  }
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return *handle = nullptr, CUBLAS_STATUS_SUCCESS;
}
std::size_t cublasLtGetVersion() { return 0; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "an error of the emulator"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t compute, cudaDataType_t) {
  *description = new cublasLtMatmulDescOpaque_t{};
  (*description)->data[CUBLASLT_MATMUL_DESC_COMPUTE_TYPE] = compute;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  return delete description, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  std::memcpy(&description->data[attribute], value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
  *layout = new cublasLtMatrixLayoutOpaque_t{};
  (*layout)->data[kType] = type;
  (*layout)->data[kRows] = rows;
  (*layout)->data[kColumns] = columns;
  (*layout)->data[kLeading] = static_cast<std::uint64_t>(leading);
  (*layout)->data[kBatch] = 1;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return delete layout, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, std::size_t bytes) {
  layout->data[attribute] = 0;
  std::memcpy(&layout->data[attribute], value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return delete &of(preference), CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  std::memcpy(&of(preference)[attribute], value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

/// Two algorithms that read whole elements, a third for TF32; none for alignments below that.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  const Preference& asked = of(preference);
  const auto alignment = [&](cublasLtMatmulPreferenceAttributes_t which) {
    const auto it = asked.find(which);
    return it == asked.end() ? 256 : it->second;  // what the library assumes
  };
  const std::uint64_t aligned[] = {alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES),
                                   alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES),
                                   alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)};
  *count = 0;
  if (aligned[kAlignA] < size(a->data[kType]) || aligned[kAlignB] < size(b->data[kType]) ||
      aligned[kAlignD] < size(d->data[kType])) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const bool tf32 =
      description->data[CUBLASLT_MATMUL_DESC_COMPUTE_TYPE] == CUBLAS_COMPUTE_32F_FAST_TF32;
  for (; *count < (tf32 ? 3 : 2); ++*count) {
    std::memcpy(results[*count].algo.data, aligned, sizeof aligned);
    results[*count].algo.data[kNumber] = static_cast<std::uint64_t>(*count);
  }
  return CUBLAS_STATUS_SUCCESS;
}

/// Refuses what the extents and the algorithm's alignments do not allow.
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void*,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void*,
                              cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void*, std::size_t,
                              cudaStream_t stream) {
  const auto attribute = [&](cublasLtMatmulDescAttributes_t which) {
    return description->data[which];
  };
  const bool ta = static_cast<int>(attribute(CUBLASLT_MATMUL_DESC_TRANSA)) == CUBLAS_OP_T;
  const bool tb = static_cast<int>(attribute(CUBLASLT_MATMUL_DESC_TRANSB)) == CUBLAS_OP_T;
  const int epilogue = static_cast<int>(attribute(CUBLASLT_MATMUL_DESC_EPILOGUE));
  const bool biased = epilogue == CUBLASLT_EPILOGUE_BIAS;
  const void* bias = nullptr;
  std::memcpy(&bias, &description->data[CUBLASLT_MATMUL_DESC_BIAS_POINTER], sizeof bias);
  const std::uint64_t m = d_layout->data[kRows], n = d_layout->data[kColumns];
  const std::uint64_t k = a_layout->data[ta ? kRows : kColumns];
  if (a_layout->data[ta ? kColumns : kRows] != m || b_layout->data[tb ? kRows : kColumns] != n ||
      b_layout->data[tb ? kColumns : kRows] != k ||
      a_layout->data[kType] != b_layout->data[kType] || !lies_at(a, algorithm->data[kAlignA]) ||
      !lies_at(b, algorithm->data[kAlignB]) || !lies_at(d, algorithm->data[kAlignD])) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const float add = *static_cast<const float*>(beta);
  const auto number = static_cast<int>(algorithm->data[kNumber]);
  if (!cuda_emulator::run_algorithm(number)) return CUBLAS_STATUS_EXECUTION_FAILED;
  const bool wrong = cuda_emulator::faults.wrong.contains(number);
  cuda_emulator::Entry entry;
  entry.kind = cuda_emulator::Kind::cublas;
  entry.name = "cublaslt";
  entry.stream = stream;
  const auto bytes = [&](std::uint64_t values, const cublasLtMatrixLayoutOpaque_t& layout) {
    return static_cast<std::int64_t>(values * layout.data[kBatch] * size(layout.data[kType]));
  };
  entry.written = bytes(m * n, *d_layout);
  entry.read =
      bytes(m * k, *a_layout) + bytes(n * k, *b_layout) + (add != 0.0f ? entry.written : 0);
  cuda_emulator::queue(
      entry, [=, a_layout = *a_layout, b_layout = *b_layout, d_layout = *d_layout] {
        multiply(a, a_layout, ta, b, b_layout, tb, biased ? bias : nullptr, add, d, d_layout, k);
        if (wrong) put(d, d_layout.data[kType], 0, at(d, d_layout.data[kType], 0) + 1.0f);
      });
  return CUBLAS_STATUS_SUCCESS;
}
}
