constexpr unsigned kThreads = 256;  // of a block

/// partial[b] = the sum over x[i] of the threads of block b, each of which takes every
/// (blocks x threads)-th number.
__global__ void sum_kernel(unsigned n, const float* x, float* partial) {
  __shared__ float part[kThreads];
  const unsigned t = threadIdx.x;
  float sum = 0.0f;
  for (unsigned i = blockIdx.x * blockDim.x + t; i < n; i += gridDim.x * blockDim.x) sum += x[i];
  part[t] = sum;
  if (t > 0) return;  // yours: barriers, and a sum by halving
  float total = 0.0f;
  for (unsigned other = 0; other < kThreads; ++other) total += part[other];
  partial[blockIdx.x] = total;
}
