// How ranks find one another, and what a job of one does. Several ranks: ranks_main.cpp.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/engine/parallel/launch_environment.h"
#include "cograd/engine/parallel/nccl_communicator.h"
#include "cograd/engine/parallel/rendezvous.h"
#include "tests/support/catch.h"
#include "tests/support/meeting.h"

namespace cograd::testing {
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
  {
    const Environment tasks(Environment::Variables{{"SLURM_STEP_NUM_TASKS", "8"}});
    CHECK(job_place().size == 1);  // srun --mpi=none: each for itself
    const Environment pmix(Environment::Variables{{"PMIX_RANK", "5"}});
    CHECK(job_place().by_mpi);
    CHECK(job_place().rank == 5);
    CHECK(job_place().size == 8);
    // mpirun in a batch job: what Slurm counts are machines.
    const Environment mpi(
        Environment::Variables{{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "16"}});
    CHECK(job_place().rank == 1);
    CHECK(job_place().size == 16);
  }
  {
    // mpirun or Slurm may have started torchrun, once on each machine.
    const Environment both(Environment::Variables{{"PMI_RANK", "1"},
                                                  {"PMI_SIZE", "2"},
                                                  {"RANK", "7"},
                                                  {"WORLD_SIZE", "16"},
                                                  {"TORCHELASTIC_RUN_ID", "none"}});
    CHECK(job_place().rank == 7);
    CHECK(job_place().size == 16);
    CHECK(!job_place().by_mpi);
  }
  {
    const Environment half(Environment::Variables{{"WORLD_SIZE", "4"}});
    CHECK_THROWS_WITH(job_place(), contains("WORLD_SIZE is 4, but RANK is not set"));
  }
  const Environment wrong(Environment::Variables{{"RANK", "4"}, {"WORLD_SIZE", "4"}});
  CHECK_THROWS_WITH(job_place(), contains("RANK is 4 and WORLD_SIZE 4"));
  const Environment senseless(Environment::Variables{{"WORLD_SIZE", "many"}});
  CHECK_THROWS_WITH(job_place(), contains("WORLD_SIZE is 'many'"));
}

TEST_CASE("a job of one rank changes nothing", "[parallel]") {
  const auto alone = make_communicator(cpu_backend());
  CHECK(alone->size() == 1);
  MedianOfMeans m3(3);
  Parameter p;
  p.name = "p";
  p.value = Tensor::full({1, 1}, 2.0, Dtype::f32, cpu_backend());
  DataParallel parallel(m3, *alone, 3, {&p});
  CHECK(parallel.rows().size() == 3);
  CHECK(parallel.groups() == Groups(3, 3));
  CHECK(parallel.ranks_per_group() == 1);
  parallel.share();
  const Tensor x = Tensor::from(std::vector<float>{1, 7, 3}, {3, 1}, cpu_backend());
  const Tensor losses = Tensor::from(std::vector<float>{1, 2, 6}, {3}, cpu_backend());
  CHECK(parallel.mean_loss(losses) == 3.0);
  const Variable y = linear(Variable(x, parallel.groups()), p, nullptr);
  parallel.backward(cross_entropy(y, Tensor::zeros({3}, Dtype::i64, cpu_backend())));
  CHECK(p.gradient.defined());
  CHECK(alone->split(0)->size() == 1);
  CHECK(alone->traffic() == Traffic{});
}

TEST_CASE("rank 0 tells the others over TCP", "[parallel]") {
  const std::vector<std::string> hello(3, "hello");
  const int port = free_port();
  for (const char* host : {"127.0.0.1", "localhost", "::1"}) {
    CAPTURE(host);
    if (host == std::string("::1") && !has_ipv6()) continue;
    const Environment master(
        Environment::Variables{{"MASTER_ADDR", host}, {"MASTER_PORT", std::to_string(port)}});
    // Those that come early wait for rank 0. The next job may use the port at once.
    CHECK(heard_by({2, 1, 0}, 3, kLong) == hello);
    CHECK(heard_by({0, 1, 2}, 3, kLong) == hello);
  }
  char byte = 0;
  CHECK_THROWS_WITH(tcp_broadcast_bytes({1, 2, false}, &byte, 1), contains("MASTER_ADDR is not"));
  const Environment host(Environment::Variables{{"MASTER_ADDR", "localhost"}});
  CHECK_THROWS_WITH(tcp_broadcast_bytes({1, 2, false}, &byte, 1), contains("MASTER_PORT is not"));
  const Environment high(Environment::Variables{{"MASTER_PORT", "70000"}});
  CHECK_THROWS_WITH(tcp_broadcast_bytes({1, 2, false}, &byte, 1), contains("70000 is no port"));
}

TEST_CASE("ranks of torchrun, which has MASTER_PORT itself, meet at another port", "[parallel]") {
  const Listener store;
  const Environment master(address(store.port()));
  {
    const Environment torchrun(Environment::Variables{{"TORCHELASTIC_USE_AGENT_STORE", "True"}});
    CHECK(heard_by({2, 1, 0}, 3, kLong) == std::vector<std::string>(3, "hello"));
  }
  {
    const Environment own(Environment::Variables{{"COGRAD_PORT", std::to_string(free_port())}});
    CHECK(heard_by({0, 1, 2}, 3, kLong) == std::vector<std::string>(3, "hello"));
  }
  const std::string taken = heard_by({0}, 2, kLong)[0];
  CHECK_THAT(taken, contains(fmt::format("cannot listen at port {}: Address already in use",
                                         store.port())));
  CHECK_THAT(taken, contains("COGRAD_PORT names another"));
}

TEST_CASE("ranks that do not find one another say so", "[parallel]") {
  const int port = free_port();
  const Environment master(address(port));
  CHECK_THAT(heard_by({1}, 2, kShort)[0],
             contains(fmt::format("rank 0 does not answer at localhost port {} within 1 s: "
                                  "Connection refused",
                                  port)));
  // Rank 3 is not left waiting for rank 2.
  const auto without_two = heard_by({0, 1, 3}, 4, kShort);
  CHECK_THAT(without_two[0],
             contains(fmt::format("nobody came to port {} within 1 s as rank 2 of 4", port)));
  CHECK_THAT(without_two[1], contains("hung up"));
  CHECK_THAT(without_two[2], contains("hung up"));
  CHECK_THAT(heard_by({0, 1, 1}, 3, kLong)[0], contains("as rank 1"));
  // Some other program, which answers or hangs up.
  for (const std::string words : {"HTTP/1.1 400 Bad Request", ""}) {
    Listener other;
    const Environment there(Environment::Variables{{"COGRAD_PORT", std::to_string(other.port())}});
    std::thread answering([&] { other.answer(words); });
    CHECK_THAT(heard_by({1}, 2, kLong)[0], contains("COGRAD_PORT names another"));
    answering.join();
  }
  const Environment nowhere(Environment::Variables{{"MASTER_ADDR", "no host"}});
  CHECK_THAT(heard_by({1}, 2, kShort)[0], contains("no host"));
}

TEST_CASE("rank 0 sends away who is not of its job", "[parallel]") {
  const int port = free_port();
  const Environment master(address(port));
  std::vector<std::string> heard;
  std::thread job([&] { heard = heard_by({0}, 2, kLong); });
  for (const std::string words : {"", "GET / HTTP/1.1\r\n\r\n"}) {
    const sockaddr_in at = Listener::here(port);
    const int to = socket(AF_INET, SOCK_STREAM, 0);
    while (connect(to, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    (void)send(to, words.data(), words.size(), MSG_NOSIGNAL);
    close(to);
  }
  CHECK_THAT(heard_by({2}, 5, kLong)[0], contains("hung up"));
  CHECK(heard_by({1}, 2, kLong)[0] == "hello");
  job.join();
  CHECK(heard[0] == "hello");
}

TEST_CASE("NCCL exchanges on a device, one rank with itself", "[cuda][parallel]") {
  if (!cuda_available()) {
    std::printf("SKIPPED: no NVIDIA device\n");
    return;
  }
  if (!has_nccl()) {
    std::printf("SKIPPED: NCCL was not compiled in\n");
    return;
  }
  Backend& cuda = cuda_backend();
  const auto ranks = make_nccl_communicator({0, 1, false});
  CHECK(ranks->rank() == 0);
  CHECK(ranks->size() == 1);
  for (const std::int64_t n : {0, 1, 3, 1021, 100003}) {
    CAPTURE(n);
    // One value more than is exchanged, which must stay.
    std::vector<float> values(static_cast<std::size_t>(n) + 1);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.37f - 1;
    std::vector<float> received = values;
    received.back() = -7.0f;
    Tensor x = Tensor::from(values, {n + 1}, cuda);
    ranks->average(x.data<float>(), n);
    CHECK(x.to_vector<float>() == values);
    ranks->broadcast(x.data<float>(), n);
    CHECK(x.to_vector<float>() == values);
    Tensor all = Tensor::full({n + 1}, -7.0, Dtype::f32, cuda);
    ranks->all_to_all(x.data<float>(), all.data<float>(), n);
    CHECK(all.to_vector<float>() == received);
    all = Tensor::full({n + 1}, -7.0, Dtype::f32, cuda);
    ranks->all_gather(x.data<float>(), all.data<float>(), n);
    CHECK(all.to_vector<float>() == received);
  }
}

}  // namespace cograd::testing
