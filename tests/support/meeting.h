// Ranks that meet over TCP, as threads, and others who come to their port.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/parallel/rendezvous.h"
#include "tests/support/environment.h"

namespace cograd::testing {

/// Some program that listens at a free port of this machine.
class Listener {
 public:
  Listener() : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at = here(0);
    socklen_t length = sizeof at;
    const auto place = reinterpret_cast<sockaddr*>(&at);
    const int yes = 1;
    setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(descriptor_, place, length) != 0 || listen(descriptor_, 8) != 0) std::abort();
    getsockname(descriptor_, place, &length);
    port_ = ntohs(at.sin_port);
  }
  ~Listener() { close(descriptor_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int port() const { return port_; }
  /// Takes the next connection and says `words`.
  void answer(const std::string& words) {
    const int peer = accept(descriptor_, nullptr, nullptr);
    (void)send(peer, words.data(), words.size(), MSG_NOSIGNAL);
    close(peer);
  }

  static sockaddr_in here(int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    return at;
  }

 private:
  int descriptor_, port_ = 0;
};

/// A port where nobody listens now.
inline int free_port() { return Listener().port(); }

/// What those ranks of a job of `size` that come, as threads, hear of rank 0, or the errors that
/// they throw.
inline std::vector<std::string> heard_by(const std::vector<int>& come, int size,
                                         std::chrono::milliseconds patience) {
  std::vector<std::string> heard;
  for (const int rank : come) heard.emplace_back(rank == 0 ? "hello" : "     ");
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < come.size(); ++i) {
    threads.emplace_back([&mine = heard[i], rank = come[i], size, patience] {
      try {
        tcp_broadcast_bytes({rank, size, false}, mine.data(), mine.size(), patience);
      } catch (const Error& error) {
        mine = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return heard;
}

inline bool has_ipv6() {
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_addr = in6addr_loopback;
  const int descriptor = socket(AF_INET6, SOCK_STREAM, 0);
  const bool bound = bind(descriptor, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  close(descriptor);
  return bound;
}

inline constexpr std::chrono::milliseconds kLong{30000}, kShort{1000};

inline Environment::Variables address(int port) {
  return {{"MASTER_ADDR", "localhost"}, {"MASTER_PORT", std::to_string(port)}};
}

/// A connection to a port of this machine, once somebody listens there.
inline int connected_to(int port) {
  const sockaddr_in at = Listener::here(port);
  for (;;) {
    const int to = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(to, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return to;
    close(to);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// What a process of a job says first, with a secret.
inline std::string hello_of(std::uint32_t rank, std::uint32_t size, const std::string& secret) {
  const std::uint32_t words[]{htonl(0x4347'5245), htonl(size), htonl(rank)};
  std::string bytes(reinterpret_cast<const char*>(words), sizeof words);
  return bytes + secret + std::string(64 - secret.size(), '\0');
}

}  // namespace cograd::testing
