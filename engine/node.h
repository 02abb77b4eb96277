// A node of the graph that autograd records; known to autograd alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cograd/engine/autograd.h"

namespace cograd {

/// One op's place in the graph. Nodes are numbered as they are made, so descending order of number
/// is an order in which every node comes before its inputs.
class Node {
 public:
  std::string_view op;
  std::uint64_t number = 0;
  Shape shape;                                // of the result
  std::vector<std::shared_ptr<Node>> inputs;  // null where an input is a constant
  std::vector<Parameter*> parameters;
  std::function<void(const Tensor&, Backward&)> backward;
  Tensor gradient;  // sum over the uses seen so far
  Tensor kept;      // a leaf's gradient, while the graph is swept again
  bool leaf = false;
  bool consumed = false;
};

}  // namespace cograd
