// Who comes to the port where ranks meet: hostile bytes, other jobs, other addresses.
#include "cograd/engine/random.h"
#include "tests/support/catch.h"
#include "tests/support/meeting.h"

namespace cograd::testing {

TEST_CASE("hostile bytes neither hang nor join a job", "[parallel]") {
  const int port = free_port();
  auto variables = address(port);
  variables.push_back({"COGRAD_SECRET", "sesame"});
  const Environment master(variables);
  std::vector<std::string> heard;
  std::thread job([&] { heard = heard_by({0}, 3, kLong); });
  std::vector<std::string> kinds{"",
                                 "GET / HTTP/1.1\r\n\r\n",
                                 std::string(1, '\0'),
                                 std::string(1 << 20, 'x'),
                                 hello_of(1, 3, ""),
                                 hello_of(1, 3, "sesam"),
                                 hello_of(1, 3, "sesame").substr(0, 75),
                                 hello_of(0, 3, "sesame"),
                                 hello_of(3, 3, "sesame"),
                                 hello_of(0xFFFFFFFF, 3, "sesame"),
                                 hello_of(1, 4, "sesame"),
                                 hello_of(1, 2, "sesame") + hello_of(1, 3, "sesame")};
  Random random(11);
  for (int i = 0; i < 60; ++i) {
    std::string bytes(random.below(200), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    kinds.push_back(bytes);
  }
  std::vector<int> open;  // silent, or half-way through
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const int to = connected_to(port);
    (void)send(to, kinds[i].data(), kinds[i].size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (i % 2 == 0 && open.size() < 40) {
      open.push_back(to);
    } else {
      close(to);
    }
  }
  // Slow: a byte at a time, while the job meets.
  std::thread slow([port] {
    const int to = connected_to(port);
    for (const char c : hello_of(2, 3, "wrong")) {
      if (send(to, &c, 1, MSG_NOSIGNAL) != 1) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    close(to);
  });
  slow.join();
  CHECK(heard_by({1, 2}, 3, kLong) == std::vector<std::string>(2, "hello"));
  job.join();
  // To wait for each of 40 silent ones, 5 s, would have taken longer than rank 0 has patience.
  CHECK(heard[0] == "hello");
  for (const int to : open) close(to);
}

TEST_CASE("ranks with another secret are not of the job", "[parallel]") {
  const Environment master(address(free_port()));
  {
    const Environment secret(Environment::Variables{{"COGRAD_SECRET", std::string(65, 's')}});
    CHECK_THAT(heard_by({1}, 2, kShort)[0], contains("COGRAD_SECRET has 65 characters"));
  }
  {
    // An impostor that listens is not believed.
    Listener other;
    const Environment there(Environment::Variables{{"COGRAD_PORT", std::to_string(other.port())},
                                                   {"COGRAD_SECRET", "sesame"}});
    std::thread answering([&] { other.answer(hello_of(0, 2, "") + "hello"); });
    CHECK_THAT(heard_by({1}, 2, kLong)[0], contains("COGRAD_PORT names another"));
    answering.join();
  }
}

TEST_CASE("rank 0 listens only where it was told to", "[parallel]") {
  const int port = free_port();
  const auto reaches = [port](const char* host) {
    sockaddr_in at = Listener::here(port);
    inet_pton(AF_INET, host, &at.sin_addr);
    const int to = socket(AF_INET, SOCK_STREAM, 0);
    const bool reached = connect(to, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    close(to);
    return reached;
  };
  const auto open_at_other = [&] {
    std::vector<std::string> heard;
    std::thread job([&] { heard = heard_by({0}, 2, kShort); });
    close(connected_to(port));  // it listens now
    const bool reached = reaches("127.0.0.2");
    job.join();
    return reached;
  };
  const Environment master(
      Environment::Variables{{"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", std::to_string(port)}});
  CHECK(!open_at_other());
  const Environment everywhere(Environment::Variables{{"COGRAD_LISTEN", "0.0.0.0"}});
  CHECK(open_at_other());
}

}  // namespace cograd::testing
