// CIFAR-10. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
#pragma once

#include <filesystem>

#include "cograd/data/byte_images.h"
#include "cograd/data/dataset.h"
#include "cograd/data/normalized.h"

namespace cograd {

inline const ChannelStatistics kCifar10Statistics{{0.4914f, 0.4822f, 0.4465f},
                                                  {0.2470f, 0.2435f, 0.2616f}};

/// Whether `folder`, or cifar-10-batches-bin in it, holds the binary version.
bool has_cifar10_binary(const std::filesystem::path& folder);

/// Appends the images and labels of one file of the binary version. Throws as below.
void append_cifar10_batch(const std::filesystem::path& path, ByteImages::Content& content);

/// The binary version: data_batch_1.bin to data_batch_5.bin and test_batch.bin, records of a label
/// byte and 3 x 32 x 32 bytes. Images [3, 32, 32] in [0, 1]. Notes a file whose number of records
/// is not the published one. Throws IoError for a missing file, FormatError for a file that ends
/// inside a record or has a label above 9.
DatasetPtr open_cifar10_binary(const std::filesystem::path& folder, Split split);

}  // namespace cograd
