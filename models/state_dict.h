// State dicts: a module's parameters and buffers as a safetensors file.
#pragma once

#include <filesystem>

#include "layers/module.h"
#include "models/safetensors.h"

namespace cograd {

/// Writes all of Module::state() under its names, atomically. Throws IoError.
void save_state(Module& module, const std::filesystem::path& path,
                std::map<std::string, std::string> metadata = {});

/// Overwrites parameters and buffers with the tensors of the same names, wherever they live.
/// Throws ValueError for a tensor that is missing or that the module does not know, ShapeError or
/// DtypeError for one that does not fit; the module is then unchanged.
void load_state(Module& module, const Safetensors& content);
void load_state(Module& module, const std::filesystem::path& path);

}  // namespace cograd
