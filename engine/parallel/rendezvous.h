// Shares the few bytes that NCCL begins with among ranks that MPI did not start.
#pragma once

#include <chrono>
#include <cstddef>

#include "cograd/engine/parallel/launch_environment.h"

namespace cograd {

/// Sends `count` bytes of rank 0 to all ranks over TCP, at MASTER_ADDR and a port: COGRAD_PORT
/// where that is set, else MASTER_PORT, or MASTER_PORT + 2 where torchrun listens at MASTER_PORT
/// itself (then TORCHELASTIC_USE_AGENT_STORE is True). Rank 0 listens at the address that
/// MASTER_ADDR is for it, or at COGRAD_LISTEN ("0.0.0.0": all of them), and only until all ranks
/// have come. Throws IoError, on every rank, unless all have connected within `patience`.
///
/// Where COGRAD_SECRET is set, at most 64 characters, rank 0 lets in only who says it, and the ranks
/// believe only a rank 0 that says it. It crosses the network as it is: it keeps out other users of
/// the machines, not one who listens to their network. Connections that are silent, slow or of
/// another job are closed after at most 5 s; 64 of them are heard at a time, the others wait.
void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count,
                         std::chrono::milliseconds patience = std::chrono::minutes(2));

}  // namespace cograd
