#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

/// Records operations on numbers, and differentiates what came out.
class Tape {
 public:
  using Index = std::size_t;
  struct Node {
    double value = 0.0;
    double gradient = 0.0;
    std::function<void(Tape&)> backward{};  ///< adds to the gradients of the node's inputs
  };

  /// A number that was not computed.
  Index leaf(double value) {
    nodes.push_back({value});
    return nodes.size() - 1;
  }
  Index add(Index a, Index b) {
    const Index y = leaf(nodes[a].value + nodes[b].value);
    nodes[y].backward = [a, b, y](Tape& tape) {
      tape.nodes[a].gradient += tape.nodes[y].gradient;
      tape.nodes[b].gradient += tape.nodes[y].gradient;
    };
    return y;
  }
  Index multiply(Index a, Index b) {
    const Index y = leaf(nodes[a].value * nodes[b].value);
    nodes[y].backward = [a, b, y](Tape& tape) {
      tape.nodes[a].gradient += tape.nodes[y].gradient * tape.nodes[b].value;
      tape.nodes[b].gradient += tape.nodes[y].gradient * tape.nodes[a].value;
    };
    return y;
  }
  Index tanh(Index a) {
    const Index y = leaf(std::tanh(nodes[a].value));
    nodes[y].backward = [a, y](Tape& tape) {
      const double t = tape.nodes[y].value;
      tape.nodes[a].gradient += tape.nodes[y].gradient * (1.0 - t * t);
    };
    return y;
  }

  /// Leaves d value(from) / d value(node) in the gradient of every node.
  void backward(Index from) {
    for (Node& node : nodes) node.gradient = 0.0;
    nodes[from].gradient = 1.0;
    for (Index i = from + 1; i-- > 0;) {
      if (nodes[i].backward) nodes[i].backward(*this);
    }
  }

  std::vector<Node> nodes;
};
