// Training steps that a device records once and then replays.
#pragma once

#include <functional>
#include <string>

#include "cograd/engine/error.h"

namespace cograd {

/// A step cannot be recorded or replayed. The device has done nothing of it, and can do it
/// unrecorded; the host may have done its part.
class RecordingError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// Records what a step queues on the compute stream and replays it as one launch: for models whose
/// kernels take less time than their launches. From Backend::step_recorder().
///
/// A step is replayed with the addresses and numbers that it was recorded with. So it reads its
/// batch from tensors that stay (write them with Tensor::copy_from before run()), leaves what is
/// wanted of it in others, and whatever changes from step to step other than memory on the device
/// belongs into `variant`, of which there should be few (Optimizer::variant()). What outlives the steps,
/// momentum and gradients for example, has to be taken by a step before the first of them: memory
/// that a later variant keeps may be memory that a recording writes to. A step that waits for the
/// device (item(), to_vector(), coherence norms) or draws random numbers (dropout) cannot be
/// recorded, nor can one for whose graph the device lacks memory: RecordingError.
class StepRecorder {
 public:
  virtual ~StepRecorder() = default;

  /// Does one step. The first of a variant runs as it is, the second is recorded, all further ones
  /// are replayed. Returns whether it was replayed: what `step` does on the host, such as counting
  /// (Optimizer::count_replayed_step()), is then left to the caller.
  virtual bool run(const std::string& variant, const std::function<void()>& step) = 0;
};

}  // namespace cograd
