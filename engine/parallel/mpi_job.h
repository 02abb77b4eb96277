// The MPI job of this process.
#pragma once

namespace cograd::mpi {

/// Throws IoError saying what failed, unless `status` is MPI_SUCCESS.
void check(int status, const char* what);
/// Starts MPI where it has not been, to be ended with the process.
void start();
/// Whether any thread may call MPI while no other does.
bool may_change_thread();
/// The other ranks may wait for this one, and would in MPI_Finalize(): the job is aborted when this
/// process ends.
void break_off();
bool broken_off();

}  // namespace cograd::mpi
