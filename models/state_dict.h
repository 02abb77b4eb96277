// State dicts: a module's parameters and buffers as a safetensors file.
#pragma once

#include <filesystem>

#include "layers/module.h"
#include "models/safetensors.h"

namespace cograd {

/// Writes all of Module::state() under its names, atomically. Throws IoError.
void save_state(Module& module, const std::filesystem::path& path,
                std::map<std::string, std::string> metadata = {});

/// Overwrites parameters and buffers with the tensors of the same names, in any order, wherever
/// they live, cast to their types. A num_batches_tracked may be missing. Names are taken without
/// what unwrapped() takes off. Throws ValueError for another tensor that is missing, that the
/// module does not know, or that has a value beyond the range of the new type, ShapeError or
/// DtypeError for one that does not fit; the module is then unchanged.
void load_state(Module& module, const Safetensors& content);
/// The same for weights from elsewhere, all of which must be finite: else throws ValueError.
void load_state(Module& module, const std::filesystem::path& path);

/// Without the "module." and "_orig_mod." that PyTorch's DataParallel and compile() put before all
/// names.
Safetensors unwrapped(Safetensors content);

/// Throws ValueError naming `file` and the tensor unless all floating-point numbers are finite, but
/// for those of num_batches_tracked, which take part in nothing.
void require_finite(const Safetensors& content, const std::string& file);

}  // namespace cograd
