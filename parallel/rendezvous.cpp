// How ranks that torchrun started find one another: rank 0 listens, the others come and are told.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "engine/error.h"
#include "parallel/communicators.h"

namespace cograd {
namespace {

constexpr auto kPatience = std::chrono::minutes(2);

/// A socket, closed with it.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  bool open() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

const char* required(const char* variable) {
  const char* value = std::getenv(variable);
  require<ValueError>(value != nullptr, "[parallel] WORLD_SIZE is set, but {} is not", variable);
  return value;
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses addresses_of(const char* host, const char* port, bool listening) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = listening ? AI_PASSIVE : 0;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(listening ? nullptr : host, port, &hints, &found);
  require<IoError>(status == 0, "[parallel] cannot resolve {} port {}: {}", host, port,
                   gai_strerror(status));
  return {found, freeaddrinfo};
}

void send_all(const Socket& to, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t sent = ::send(to.get(), bytes, count, MSG_NOSIGNAL);
    require<IoError>(sent > 0, "[parallel] a rank went away: {}", std::strerror(errno));
    bytes += sent;
    count -= static_cast<std::size_t>(sent);
  }
}

void receive_all(const Socket& from, char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t got = ::recv(from.get(), bytes, count, 0);
    require<IoError>(got > 0, "[parallel] rank 0 went away");
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
}

void limit_waiting(const Socket& socket) {
  const timeval patience{std::chrono::seconds(kPatience).count(), 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

Socket listening_at(const char* port) {
  const Addresses addresses = addresses_of("this machine", port, true);
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    Socket socket(::socket(a->ai_family, a->ai_socktype, a->ai_protocol));
    const int yes = 1;
    if (!socket.open()) continue;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(socket.get(), a->ai_addr, a->ai_addrlen) == 0 && ::listen(socket.get(), 128) == 0) {
      return socket;
    }
  }
  throw IoError(fmt::format("[parallel] cannot listen at port {}: {}", port, std::strerror(errno)));
}

Socket connected_to(const char* host, const char* port) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {  // rank 0 may not listen yet
    const Addresses addresses = addresses_of(host, port, false);
    for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
      Socket socket(::socket(a->ai_family, a->ai_socktype, a->ai_protocol));
      if (socket.open() && ::connect(socket.get(), a->ai_addr, a->ai_addrlen) == 0) return socket;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  throw IoError(fmt::format("[parallel] rank 0 does not answer at {} port {}", host, port));
}

}  // namespace

void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count) {
  const char *host = required("MASTER_ADDR"), *port = required("MASTER_PORT");
  if (place.rank > 0) {
    const Socket master = connected_to(host, port);
    limit_waiting(master);
    receive_all(master, static_cast<char*>(bytes), count);
    return;
  }
  const Socket listener = listening_at(port);
  limit_waiting(listener);
  for (int rank = 1; rank < place.size; ++rank) {
    const Socket peer(::accept(listener.get(), nullptr, nullptr));
    require<IoError>(peer.open(), "[parallel] {} of {} ranks did not come within two minutes",
                     place.size - rank, place.size);
    send_all(peer, static_cast<const char*>(bytes), count);
  }
}

}  // namespace cograd
