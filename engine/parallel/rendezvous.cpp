// Ranks that torchrun started find one another: rank 0 listens, and answers the others.
#include "cograd/engine/parallel/rendezvous.h"

#include <arpa/inet.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPause{100};      // between two attempts to connect
constexpr milliseconds kForHello{5000};  // a rank says it as soon as it is connected

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

/// Where the ranks meet.
struct Meeting {
  std::string host;
  int port;
};

Meeting meeting() {
  const char* host = std::getenv("MASTER_ADDR");
  require<ValueError>(host != nullptr, "[parallel] WORLD_SIZE is set, but MASTER_ADDR is not");
  const auto master = number_in("MASTER_PORT"), own = number_in("COGRAD_PORT");
  require<ValueError>(master || own, "[parallel] WORLD_SIZE is set, but MASTER_PORT is not");
  // torchrun itself listens at MASTER_PORT then. Two above: ports of the other parity are what
  // Linux gives to connections, so the next one may be taken.
  const char* store = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  const int beside = store != nullptr && std::string_view(store) == "True" ? 2 : 0;
  const int port = own ? *own : *master + beside;
  require<ValueError>(port >= 1 && port <= 65535,
                      "[parallel] {} is no port: expected COGRAD_PORT or MASTER_PORT to name one",
                      port);
  return {host, port};
}

/// What ranks first say to one another, to be told from other jobs and programs: a mark, the number
/// of ranks, which of them; in network byte order.
using Hello = std::array<std::uint32_t, 3>;

Hello hello(int rank, int size) {
  return {htonl(0x4347'5244), htonl(static_cast<std::uint32_t>(size)),
          htonl(static_cast<std::uint32_t>(rank))};
}

/// False if the other end went away or takes nothing.
bool send_all(const Socket& to, const void* bytes, std::size_t count) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t sent = ::send(to.get(), at, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return true;
}

/// False if the other end went away or says nothing.
bool receive_all(const Socket& from, void* bytes, std::size_t count) {
  char* at = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = ::recv(from.get(), at, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

milliseconds left(Clock::time_point until) {
  return std::max(std::chrono::ceil<milliseconds>(until - Clock::now()), milliseconds(0));
}

/// Of each wait to connect, send or receive.
void limit_waiting(const Socket& socket, milliseconds patience) {
  const auto ms = std::max<std::int64_t>(patience.count(), 1);  // 0 would be no limit
  const timeval limit{static_cast<time_t>(ms / 1000), static_cast<suseconds_t>(ms % 1000 * 1000)};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Socket listening_at(int port) {
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(static_cast<std::uint16_t>(port));
  sockaddr_in any_v4{};
  any_v4.sin_family = AF_INET;
  any_v4.sin_port = any.sin6_port;
  const std::pair<const void*, socklen_t> places[]{{&any, sizeof any}, {&any_v4, sizeof any_v4}};
  int why = 0;
  for (const auto& [address, length] : places) {  // the first also hears IPv4, if there is IPv6
    const auto* place = static_cast<const sockaddr*>(address);
    Socket socket(::socket(place->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    why = errno;
    if (!socket.open()) continue;
    const int yes = 1, no = 0;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (::bind(socket.get(), place, length) == 0 && ::listen(socket.get(), SOMAXCONN) == 0) {
      return socket;
    }
    why = errno;
    if (why == EADDRINUSE) break;
  }
  throw IoError(fmt::format(
      "[parallel] rank 0 cannot listen at port {}: {}; COGRAD_PORT names another, for all ranks",
      port, std::strerror(why)));
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// Empty while the name server does not answer.
Addresses addresses_of(const Meeting& at) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(at.host.c_str(), std::to_string(at.port).c_str(), &hints, &found);
  require<IoError>(status == 0 || status == EAI_AGAIN, "[parallel] MASTER_ADDR is '{}': {}",
                   at.host, gai_strerror(status));
  return {found, freeaddrinfo};
}

/// A connection to a port of this machine where nobody listens may get that very port for its own
/// end, and so meet itself.
bool met_itself(const Socket& socket) {
  sockaddr_storage here{}, there{};
  socklen_t length = sizeof here;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &length);
  length = sizeof there;
  getpeername(socket.get(), reinterpret_cast<sockaddr*>(&there), &length);
  return std::memcmp(&here, &there, sizeof here) == 0;
}

Socket connected_to(const Meeting& at, milliseconds patience) {
  const auto until = Clock::now() + patience;
  std::string why = "its address cannot be resolved";
  do {  // rank 0 may not listen yet
    const Addresses addresses = addresses_of(at);
    for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
      Socket socket(::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol));
      if (!socket.open()) continue;
      limit_waiting(socket, left(until));
      if (::connect(socket.get(), a->ai_addr, a->ai_addrlen) == 0) {
        if (!met_itself(socket)) return socket;
        const linger none{1, 0};  // leaves the port free at once, for rank 0 to listen at
        setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
        errno = ECONNREFUSED;
      }
      why = std::strerror(errno == EINPROGRESS ? ETIMEDOUT : errno);
    }
    std::this_thread::sleep_for(std::min(kPause, left(until)));
  } while (left(until).count() > 0);
  throw IoError(fmt::format("[parallel] rank 0 does not answer at {} port {} within {} s: {}",
                            at.host, at.port, patience.count() / 1000.0, why));
}

void be_told(const JobPlace& place, const Meeting& at, void* bytes, std::size_t count,
             milliseconds patience) {
  const Socket rank0 = connected_to(at, patience);
  // Rank 0 was there first and loses patience first, which ends the connection.
  limit_waiting(rank0, patience + kForHello);
  const Hello own = hello(place.rank, place.size);
  Hello answer{};
  errno = 0;
  const bool answered =
      send_all(rank0, &own, sizeof own) && receive_all(rank0, &answer, sizeof answer);
  require<IoError>(
      answered || errno == EAGAIN,
      "[parallel] what listens at {} port {} hung up: rank 0, which failed, or another "
      "program or job (COGRAD_PORT names another port, for all ranks)",
      at.host, at.port);
  require<IoError>(answered && answer == hello(0, place.size),
                   "[parallel] what listens at {} port {} is not rank 0 of this job of {} ranks; "
                   "COGRAD_PORT names another port, for all ranks",
                   at.host, at.port, place.size);
  require<IoError>(receive_all(rank0, bytes, count), "[parallel] rank 0 at {} port {} went away",
                   at.host, at.port);
}

/// Connections to all other ranks, by rank.
std::vector<Socket> all_come(const JobPlace& place, int port, milliseconds patience) {
  const auto until = Clock::now() + patience;
  const Socket listener = listening_at(port);
  std::vector<Socket> ranks(static_cast<std::size_t>(place.size));
  for (int missing = place.size - 1; missing > 0;) {
    pollfd event{listener.get(), POLLIN, 0};
    const int ready = ::poll(&event, 1, static_cast<int>(left(until).count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      std::vector<int> awaited;
      for (int rank = 1; rank < place.size; ++rank) {
        if (!ranks[static_cast<std::size_t>(rank)].open()) awaited.push_back(rank);
      }
      throw IoError(fmt::format("[parallel] nobody came to port {} within {} s as rank {} of {}",
                                port, patience.count() / 1000.0, fmt::join(awaited, ", "),
                                place.size));
    }
    Socket peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.open()) {
      require<IoError>(errno == EAGAIN || errno == EINTR || errno == ECONNABORTED,
                       "[parallel] rank 0 cannot accept a rank at port {}: {}", port,
                       std::strerror(errno));
      continue;
    }
    limit_waiting(peer, kForHello);
    Hello said{};
    if (!receive_all(peer, &said, sizeof said)) continue;
    const std::uint32_t rank = ntohl(said[2]);
    // Processes of other jobs are refused.
    if (rank == 0 || rank >= ranks.size() || said != hello(static_cast<int>(rank), place.size)) {
      continue;
    }
    require<IoError>(!ranks[rank].open(),
                     "[parallel] two processes came to port {} as rank {}; where they are of "
                     "different jobs, COGRAD_PORT names another port, for all ranks",
                     port, rank);
    ranks[rank] = std::move(peer);
    --missing;
  }
  return ranks;
}

}  // namespace

void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count,
                         milliseconds patience) {
  if (place.size == 1) return;
  const Meeting at = meeting();
  if (place.rank > 0) return be_told(place, at, bytes, count, patience);
  // Sent only after all ranks have connected, so that one missing rank fails the others instead of
  // hanging them.
  const std::vector<Socket> ranks = all_come(place, at.port, patience);
  const Hello own = hello(0, place.size);
  for (int rank = 1; rank < place.size; ++rank) {
    const Socket& peer = ranks[static_cast<std::size_t>(rank)];
    require<IoError>(send_all(peer, &own, sizeof own) && send_all(peer, bytes, count),
                     "[parallel] rank {} went away", rank);
  }
}

}  // namespace cograd
