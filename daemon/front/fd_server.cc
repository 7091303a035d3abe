#include "daemon/front/fd_server.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/front/fd_message.h"
#include "daemon/front/peer_identity.h"
#include "daemon/service/log.h"

namespace p2pd {

FdServer::~FdServer() {
  for (auto& [pointer, connection] : connections_) connection->Close("p2pd stops");
}

void FdServer::Adopt(UniqueFd connection, absl::StatusOr<ConnectionTable::Lease> lease) {
  if (!lease.ok()) return TurnAway(std::move(connection), lease.status(), {});
  auto peer = IdentifyPeer(connection);
  if (!peer.ok()) return TurnAway(std::move(connection), peer.status(), *std::move(lease));
  auto started = FdConnection::Start(around_, *std::move(peer), std::move(connection), *std::move(lease),
                                     [this](FdConnection* closed) { connections_.erase(closed); });
  if (!started.ok()) {
    Log(LogLevel::kWarning, absl::StrCat("a client could not be taken: ", std::string(started.status().message())));
    return;
  }
  connections_.emplace(started->get(), *started);
}

void FdServer::TakeOver(ConnectionTable& table) {
  for (Broker::RecoveredSession& session : around_.broker.TakeRecovered()) {
    auto peer = IdentifyPeer(session.lifeline);
    auto lease = table.Take(session.peer.subject.uid);
    // Its process has ended: so does it.
    if (!peer.ok() || !lease.ok()) continue;
    peer->identity = session.peer;  // as it was vouched for when it began
    auto resumed =
        FdConnection::Resume(around_, session.id, *std::move(peer), std::move(session.lifeline), *std::move(lease),
                             [this](FdConnection* closed) { connections_.erase(closed); });
    if (resumed.ok()) connections_.emplace(resumed->get(), *resumed);
  }
  around_.broker.CarryOn();
}

void FdServer::TurnAway(UniqueFd connection, const absl::Status& why, ConnectionTable::Lease lease) {
  v1::ServerFrame frame;
  frame.mutable_ended()->set_reason(std::string(why.message()));
  SendPacket(connection, frame.SerializeAsString());
  around_.workers.Run([connection = std::move(connection), lease = std::move(lease)]() mutable {
    CloseChannel(std::move(connection));
  });
}

}  // namespace p2pd
