// How ranks find one another, and what a job of one does. Several ranks: ranks_main.cpp.
#include <cstdlib>
#include <thread>

#include "parallel/communicators.h"
#include "parallel/data_parallel.h"
#include "tests/catch.h"

namespace cograd::testing {
namespace {

/// Sets variables of the environment for as long as it lives.
class Environment {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  explicit Environment(Variables variables) : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& variable : variables_) unsetenv(variable.first.c_str());
  }

 private:
  Variables variables_;
};

}  // namespace

TEST_CASE("a process knows its place in a job", "[parallel]") {
  CHECK(job_place().size == 1);
  {
    const Environment torchrun(Environment::Variables{{"RANK", "2"}, {"WORLD_SIZE", "4"}});
    CHECK(job_place().rank == 2);
    CHECK(job_place().size == 4);
    CHECK(!job_place().by_mpi);
    CHECK_THROWS_WITH(make_communicator(cpu_backend()), contains("mpirun"));
  }
  {
    const Environment mpi(
        Environment::Variables{{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "3"}});
    CHECK(job_place().by_mpi);
    CHECK(job_place().rank == 1);
  }
  const Environment wrong(Environment::Variables{{"RANK", "4"}, {"WORLD_SIZE", "4"}});
  CHECK_THROWS_WITH(job_place(), contains("RANK is 4 and WORLD_SIZE 4"));
  const Environment senseless(Environment::Variables{{"WORLD_SIZE", "many"}});
  CHECK_THROWS_WITH(job_place(), contains("WORLD_SIZE is 'many'"));
}

TEST_CASE("a job of one rank changes nothing", "[parallel]") {
  const auto alone = make_communicator(cpu_backend());
  CHECK(alone->size() == 1);
  Mean rule;
  DataParallel parallel(rule, *alone);
  Parameter p;
  p.name = "p";
  p.value = Tensor::full({3}, 1.0, Dtype::f32, cpu_backend());
  const std::vector<Parameter*> parameters{&p};
  CHECK_THROWS_WITH(parallel.aggregate(parameters), contains("p has no gradient"));
  p.gradient = Tensor::from(std::vector<float>{1, 2, 3}, {3}, cpu_backend());
  parallel.aggregate(parameters);
  CHECK(p.gradient.to_vector<float>() == std::vector<float>{1, 2, 3});
  CHECK(parallel.rows(8).size() == 8);
  MedianOfMeans m3(3);
  CHECK_THROWS_WITH(DataParallel(m3, *alone), contains("m3 cannot be split over 1 ranks"));
}

TEST_CASE("rank 0 tells the others over TCP", "[parallel]") {
  const Environment address(
      Environment::Variables{{"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", "29731"}});
  std::vector<std::string> heard(3, std::string(5, ' '));
  heard[0] = "hello";
  std::vector<std::thread> ranks;
  for (int rank = 2; rank >= 0; --rank) {  // those that come early wait for rank 0
    ranks.emplace_back([&heard, rank] {
      tcp_broadcast_bytes({rank, 3, false}, heard[static_cast<std::size_t>(rank)].data(), 5);
    });
  }
  for (std::thread& rank : ranks) rank.join();
  CHECK(heard == std::vector<std::string>(3, "hello"));
  unsetenv("MASTER_PORT");
  char byte = 0;
  CHECK_THROWS_WITH(tcp_broadcast_bytes({1, 2, false}, &byte, 1), contains("MASTER_PORT is not"));
}

}  // namespace cograd::testing
