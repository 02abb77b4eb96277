#include "cograd/engine/cuda/matmul.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

#include "cograd/engine/cuda/autotune.h"
#include "cograd/engine/cuda/context.h"
#include "cograd/engine/error.h"

namespace cograd::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // NVIDIA's advice for Hopper
constexpr int kCandidates = 8;

cudaDataType_t type_of(Dtype dtype) { return dtype == Dtype::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

/// Alignments of all matrices of a batch, in bytes: slices of batches begin at any address.
struct Alignments {
  std::uint32_t a, b, c;

  Alignments(const Matmul& p, const void* first_a, const void* first_b, const void* first_c)
      : a(of(first_a, p.batch, p.stride_a, p.in)),
        b(of(first_b, p.batch, p.stride_b, p.in)),
        c(of(first_c, p.batch, p.stride_c, p.out)) {}

 private:
  static std::uint32_t of(const void* first, std::int64_t batch, std::int64_t stride, Dtype dtype) {
    constexpr std::int64_t most = 256;  // that cuBLASLt asks for
    std::int64_t alignment = alignment_of(first, most);
    if (batch > 1) {
      const std::int64_t bytes = stride * static_cast<std::int64_t>(size_of(dtype));
      alignment = std::gcd(alignment, bytes);
    }
    return static_cast<std::uint32_t>(alignment);
  }
};

/// cuBLASLt's descriptors of one problem and the algorithm for it. A row-major matrix is the
/// transpose of a column-major one, so this computes C^T = op(B)^T op(A)^T, B coming first.
class Plan {
 public:
  Plan(const Matmul& p, bool tf32) {
    check(cublasLtMatmulDescCreate(
              &operation_, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "describing a product");
    const cublasOperation_t first = p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t second = p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    set(CUBLASLT_MATMUL_DESC_TRANSA, first);
    set(CUBLASLT_MATMUL_DESC_TRANSB, second);
    if (p.bias) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    // Rows and columns as column-major sees them.
    layout(b_, p.in, p.transpose_b ? p.k : p.n, p.transpose_b ? p.n : p.k, p.batch, p.stride_b);
    layout(a_, p.in, p.transpose_a ? p.m : p.k, p.transpose_a ? p.k : p.m, p.batch, p.stride_a);
    layout(c_, p.out, p.n, p.m, p.batch, p.stride_c);
    beta_ = p.accumulate ? 1.0f : 0.0f;
  }
  ~Plan() {
    cublasLtMatrixLayoutDestroy(a_);
    cublasLtMatrixLayoutDestroy(b_);
    cublasLtMatrixLayoutDestroy(c_);
    cublasLtMatmulDescDestroy(operation_);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  /// The library's suggestions for this problem at such addresses, best guess first.
  std::vector<cublasLtMatmulAlgo_t> candidates(const Alignments& alignments) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "asking for algorithms");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
            "asking for algorithms");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
    // Parts of a split sum are added in f32, not in C's type.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignments.b);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignments.a);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignments.c);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignments.c);
    std::vector<cublasLtMatmulHeuristicResult_t> found(kCandidates);
    int count = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(Context::instance().blas, operation_, b_, a_, c_, c_,
                                       preference, kCandidates, found.data(), &count);
    cublasLtMatmulPreferenceDestroy(preference);
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    if (status != CUBLAS_STATUS_SUCCESS) return algorithms;
    for (int i = 0; i < count; ++i) algorithms.push_back(found[static_cast<std::size_t>(i)].algo);
    return algorithms;
  }
  void run(const cublasLtMatmulAlgo_t& how, const void* a, const void* b, const void* bias, void* c,
           const Tensor& workspace, float beta) const {
    const float one = 1.0f;
    if (bias != nullptr) {
      check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                           sizeof bias),
            "describing a product");
    }
    const Context& context = Context::instance();
    check(cublasLtMatmul(context.blas, operation_, &one, b, b_, a, a_, &beta, c, c_, c, c_, &how,
                         workspace.raw(), kWorkspace, context.compute),
          "multiplying matrices");
  }
  float beta() const { return beta_; }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
    check(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value),
          "describing a product");
  }
  static void layout(cublasLtMatrixLayout_t& to, Dtype dtype, std::int64_t rows,
                     std::int64_t columns, std::int64_t batch, std::int64_t stride) {
    check(cublasLtMatrixLayoutCreate(&to, type_of(dtype), static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), rows),
          "describing a matrix");
    const auto count = static_cast<std::int32_t>(batch);
    cublasLtMatrixLayoutSetAttribute(to, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
    cublasLtMatrixLayoutSetAttribute(to, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                     sizeof stride);
  }

  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
  float beta_ = 0.0f;
};

std::string key_of(const Matmul& p, const Alignments& alignments) {
  const Arithmetic how = arithmetic();
  return fmt::format(
      "matmul {}{} {}x{}x{} {}->{} add{} bias{} batch{} {}/{}/{} aligned{}/{}/{} tf32-{} fixed{}",
      p.transpose_a ? 't' : 'n', p.transpose_b ? 't' : 'n', p.m, p.n, p.k, name_of(p.in),
      name_of(p.out), int{p.accumulate}, int{p.bias}, p.batch, p.stride_a, p.stride_b, p.stride_c,
      alignments.a, alignments.b, alignments.c, int{how.tf32}, int{how.deterministic});
}

/// A plan and one of the library's algorithms for it.
struct Choice {
  std::shared_ptr<const Plan> plan;
  cublasLtMatmulAlgo_t algorithm;
};

/// The fastest right way to a product, which is computed to `c` on the way there, without adding.
Choice fastest(const std::string& key, const Matmul& problem, const Alignments& alignments,
               const std::vector<void*>& here, const Tensor& workspace, Backend& backend) {
  std::vector<Choice> choices;
  const auto add = [&](bool tf32) {
    const auto plan = std::make_shared<const Plan>(problem, tf32);
    for (const auto& algorithm : plan->candidates(alignments)) choices.push_back({plan, algorithm});
  };
  const bool tf32 = problem.in == Dtype::f32 && arithmetic().tf32;
  add(tf32);
  const auto timed = static_cast<int>(choices.size());
  if (tf32) add(false);
  const std::int64_t batch = problem.batch;
  Algorithms algorithms{
      .key = key,
      .count = static_cast<int>(choices.size()),
      .timed = timed,
      // All of cuBLASLt's that split sums as asked repeat to the bit.
      .reference = tf32 ? timed : 0,
      .operands = {{(batch - 1) * problem.stride_a + problem.m * problem.k, problem.in},
                   {(batch - 1) * problem.stride_b + problem.k * problem.n, problem.in},
                   {(batch - 1) * problem.stride_c + problem.m * problem.n, problem.out}},
      .output = 2,
      .tolerance = tolerance_of(problem.in),
      .run = [&](int i, const std::vector<void*>& at) {
        const Choice& choice = choices[static_cast<std::size_t>(i)];
        choice.plan->run(choice.algorithm, at[0], at[1], problem.bias ? at[3] : nullptr, at[2],
                         workspace, 0.0f);
      }};
  if (problem.bias) algorithms.operands.push_back({problem.n, problem.out});
  return choices[static_cast<std::size_t>(autotune(algorithms, here, backend))];
}

}  // namespace

void matmul(const Matmul& problem, const void* a, const void* b, const void* bias, void* c,
            Backend& backend) {
  static std::mutex mutex;
  // Never destroyed: cuBLASLt's own statics may be gone before.
  static auto& known = *new std::map<std::string, Choice>;
  const Alignments alignments(problem, a, b, c);
  const std::string key = key_of(problem, alignments);
  const Tensor workspace =
      Tensor::empty({static_cast<std::int64_t>(kWorkspace)}, Dtype::u8, backend);
  const std::lock_guard lock(mutex);
  auto choice = known.find(key);
  if (choice == known.end()) {
    // A product that adds to C is tried elsewhere, so that it is added once only.
    Tensor elsewhere;
    void* target = c;
    if (problem.accumulate) {
      const std::int64_t matrix = std::max(problem.stride_c, problem.m * problem.n);
      elsewhere = Tensor::empty({problem.batch * matrix}, problem.out, backend);
      target = elsewhere.raw();
    }
    const std::vector<void*> here{const_cast<void*>(a), const_cast<void*>(b), target,
                                  const_cast<void*>(bias)};
    choice = known.emplace(key, fastest(key, problem, alignments, here, workspace, backend)).first;
  }
  const Plan& plan = *choice->second.plan;
  plan.run(choice->second.algorithm, a, b, bias, c, workspace, plan.beta());
}

}  // namespace cograd::cuda
