// Shares the few bytes that NCCL begins with among ranks that MPI did not start.
#pragma once

#include <chrono>
#include <cstddef>

#include "cograd/engine/parallel/launch_environment.h"

namespace cograd {

/// Sends `count` bytes of rank 0 to all ranks over TCP, at MASTER_ADDR and a port: COGRAD_PORT
/// where that is set, else MASTER_PORT, or MASTER_PORT + 2 where torchrun listens at MASTER_PORT
/// itself (then TORCHELASTIC_USE_AGENT_STORE is True). Throws IoError, on every rank, unless all
/// have connected within `patience`.
void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count,
                         std::chrono::milliseconds patience = std::chrono::minutes(2));

}  // namespace cograd
