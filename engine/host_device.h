// Marks functions that CUDA kernels call as well as the CPU.
#pragma once

#if defined(__CUDACC__)
#define COGRAD_HOST_DEVICE __host__ __device__
#else
#define COGRAD_HOST_DEVICE
#endif
