// Ranks that torchrun started find one another: rank 0 listens, and answers the others.
#include "cograd/engine/parallel/rendezvous.h"

#include <arpa/inet.h>
#include <fcntl.h>
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

constexpr std::size_t kLongestSecret = 64;
constexpr std::size_t kMostGuests = 64;  // connections that have not yet said who they are

/// What ranks first say to one another, to be told from other jobs and programs: a mark, the number
/// of ranks, which of them, in network byte order; and the secret.
struct Hello {
  std::uint32_t mark, size, rank;
  std::array<char, kLongestSecret> secret;
};

Hello hello(int rank, int size) {
  Hello words{htonl(0x4347'5245),
              htonl(static_cast<std::uint32_t>(size)),
              htonl(static_cast<std::uint32_t>(rank)),
              {}};
  const char* secret = std::getenv("COGRAD_SECRET");
  const std::string_view text = secret != nullptr ? secret : "";
  require<ValueError>(text.size() <= kLongestSecret,
                      "[parallel] COGRAD_SECRET has {} characters: expected at most {}",
                      text.size(), kLongestSecret);
  std::copy(text.begin(), text.end(), words.secret.begin());
  return words;
}

/// Takes as long for every difference, which tells nothing of the secret.
bool same(const Hello& a, const Hello& b) {
  const auto* x = reinterpret_cast<const unsigned char*>(&a);
  const auto* y = reinterpret_cast<const unsigned char*>(&b);
  unsigned difference = 0;
  for (std::size_t i = 0; i < sizeof(Hello); ++i) difference |= static_cast<unsigned>(x[i] ^ y[i]);
  return difference == 0;
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

/// At the addresses of `at` that this machine has, and at no others.
std::vector<Socket> listening_at(const Meeting& at) {
  std::vector<Socket> listeners;
  int why = EADDRNOTAVAIL;
  const Addresses addresses = addresses_of(at);
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    Socket socket(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open()) continue;
    const int yes = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    // "::" and "0.0.0.0" of one name are two places then.
    if (a->ai_family == AF_INET6) {
      setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    }
    if (::bind(socket.get(), a->ai_addr, a->ai_addrlen) == 0 &&
        ::listen(socket.get(), SOMAXCONN) == 0) {
      listeners.push_back(std::move(socket));
      continue;
    }
    why = errno;
    if (why != EADDRNOTAVAIL) break;
  }
  require<IoError>(!listeners.empty() && (why == EADDRNOTAVAIL),
                   "[parallel] rank 0 cannot listen at port {}: {} ({}); COGRAD_PORT names another "
                   "port, for all ranks, COGRAD_LISTEN another address of rank 0",
                   at.port, std::strerror(why), at.host);
  return listeners;
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
  const Hello own = hello(place.rank, place.size);
  const Socket rank0 = connected_to(at, patience);
  // Rank 0 was there first and loses patience first, which ends the connection.
  limit_waiting(rank0, patience + kForHello);
  Hello answer{};
  errno = 0;
  const bool answered =
      send_all(rank0, &own, sizeof own) && receive_all(rank0, &answer, sizeof answer);
  require<IoError>(
      answered || errno == EAGAIN,
      "[parallel] what listens at {} port {} hung up: rank 0, which failed, or another "
      "program or job (COGRAD_PORT names another port, for all ranks), or one with another "
      "COGRAD_SECRET",
      at.host, at.port);
  require<IoError>(answered && same(answer, hello(0, place.size)),
                   "[parallel] what listens at {} port {} is not rank 0 of this job of {} ranks; "
                   "COGRAD_PORT names another port, for all ranks",
                   at.host, at.port, place.size);
  require<IoError>(receive_all(rank0, bytes, count), "[parallel] rank 0 at {} port {} went away",
                   at.host, at.port);
}

/// A connection that has not said all of its Hello.
struct Guest {
  Socket socket;
  Clock::time_point until;
  Hello said{};
  std::size_t count = 0;  // bytes of `said`
};

/// Rank 0's end of the meeting: whoever is silent, slow or of another job holds up nobody.
class Reception {
 public:
  Reception(const JobPlace& place, const Meeting& at)
      : size_(place.size),
        port_(at.port),
        listeners_(listening_at(at)),
        ranks_(static_cast<std::size_t>(place.size)),
        missing_(place.size - 1) {}

  /// Connections to all other ranks, by rank.
  std::vector<Socket> ranks(milliseconds patience) {
    const auto until = Clock::now() + patience;
    while (missing_ > 0) {
      require<IoError>(left(until).count() > 0,
                       "[parallel] nobody came to port {} within {} s as rank {} of {}", port_,
                       patience.count() / 1000.0, fmt::join(awaited(), ", "), size_);
      wait(until);
    }
    return std::move(ranks_);
  }

 private:
  std::vector<int> awaited() const {
    std::vector<int> awaited;
    for (int rank = 1; rank < size_; ++rank) {
      if (!ranks_[static_cast<std::size_t>(rank)].open()) awaited.push_back(rank);
    }
    return awaited;
  }

  /// For something to happen, and lets it happen.
  void wait(Clock::time_point until) {
    std::vector<pollfd> events;
    for (const Guest& guest : guests_) {
      events.push_back({guest.socket.get(), POLLIN, 0});
      until = std::min(until, guest.until);
    }
    const std::size_t guests = guests_.size();
    if (guests < kMostGuests) {  // others wait in the queue of the system
      for (const Socket& listener : listeners_) events.push_back({listener.get(), POLLIN, 0});
    }
    const int ready = ::poll(events.data(), events.size(), static_cast<int>(left(until).count()));
    require<IoError>(ready >= 0 || errno == EINTR, "[parallel] rank 0 cannot wait at port {}: {}",
                     port_, std::strerror(errno));
    for (std::size_t i = 0; ready > 0 && i < guests; ++i) {
      if (events[i].revents != 0) hear(guests_[i]);
    }
    for (std::size_t i = guests; ready > 0 && i < events.size(); ++i) {
      if (events[i].revents != 0) accept_at(events[i].fd);
    }
    const auto now = Clock::now();
    std::erase_if(guests_, [now](const Guest& g) { return !g.socket.open() || g.until <= now; });
  }

  void accept_at(int listener) {
    Socket peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (peer.open()) {
      guests_.push_back({std::move(peer), Clock::now() + kForHello});
      return;
    }
    const bool passes = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ||
                        errno == EMFILE || errno == ENFILE || errno == EPROTO;
    require<IoError>(passes, "[parallel] rank 0 cannot accept a rank at port {}: {}", port_,
                     std::strerror(errno));
  }

  /// Of a guest that says something or leaves. A rank is let in, others are sent away.
  void hear(Guest& guest) {
    const ssize_t got =
        ::recv(guest.socket.get(), reinterpret_cast<char*>(&guest.said) + guest.count,
               sizeof(Hello) - guest.count, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    const Socket leaving = got <= 0 ? std::move(guest.socket) : Socket();
    if (got <= 0) return;
    guest.count += static_cast<std::size_t>(got);
    if (guest.count < sizeof(Hello)) return;
    Socket peer = std::move(guest.socket);
    const std::uint32_t rank = ntohl(guest.said.rank);
    if (rank == 0 || rank >= ranks_.size()) return;
    if (!same(guest.said, hello(static_cast<int>(rank), size_))) return;
    require<IoError>(!ranks_[rank].open(),
                     "[parallel] two processes came to port {} as rank {}; where they are of "
                     "different jobs, COGRAD_PORT names another port, for all ranks",
                     port_, rank);
    ::fcntl(peer.get(), F_SETFL, ::fcntl(peer.get(), F_GETFL) & ~O_NONBLOCK);
    limit_waiting(peer, kForHello);
    ranks_[rank] = std::move(peer);
    --missing_;
  }

  int size_, port_;
  std::vector<Socket> listeners_;
  std::vector<Guest> guests_;
  std::vector<Socket> ranks_;
  int missing_;
};

}  // namespace

void tcp_broadcast_bytes(const JobPlace& place, void* bytes, std::size_t count,
                         milliseconds patience) {
  if (place.size == 1) return;
  const Meeting at = meeting();
  if (place.rank > 0) return be_told(place, at, bytes, count, patience);
  const char* listen = std::getenv("COGRAD_LISTEN");
  const Meeting here{listen != nullptr ? listen : at.host, at.port};
  const Hello own = hello(0, place.size);
  // Sent only after all ranks have connected, so that one missing rank fails the others instead of
  // hanging them.
  const std::vector<Socket> ranks = Reception(place, here).ranks(patience);
  for (int rank = 1; rank < place.size; ++rank) {
    const Socket& peer = ranks[static_cast<std::size_t>(rank)];
    require<IoError>(send_all(peer, &own, sizeof own) && send_all(peer, bytes, count),
                     "[parallel] rank {} went away", rank);
  }
}

}  // namespace cograd
