// State dicts: a module's parameters and buffers as a safetensors file.
#pragma once

#include <filesystem>

#include "cograd/layers/module.h"
#include "cograd/models/safetensors.h"

namespace cograd {

/// Writes all of Module::state() under its names, atomically. Throws IoError.
void save_state(Module& module, const std::filesystem::path& path,
                std::map<std::string, std::string> metadata = {});

/// Overwrites parameters and buffers with the tensors of the same names, in any order, cast to the
/// module's types, on the module's backend. Names lose the prefixes that unwrapped() removes. Only
/// num_batches_tracked may be missing. Throws ValueError for a missing or unknown tensor, or a
/// value beyond the range of the new type, ShapeError or DtypeError for a tensor that does not
/// match; the module is then unchanged.
void load_state(Module& module, const Safetensors& content);
/// Loads a file of weights. Also throws ValueError unless all of them are finite.
void load_state(Module& module, const std::filesystem::path& path);

/// Removes the prefixes "module." and "_orig_mod." that PyTorch's DataParallel and compile() add to
/// all names.
Safetensors unwrapped(Safetensors content);

/// Throws ValueError naming `file` and the tensor unless all floating-point numbers are finite;
/// num_batches_tracked is exempt, since nothing depends on it.
void require_finite(const Safetensors& content, const std::string& file);

}  // namespace cograd
