// What can happen: each step asks p2pd, and tells the reference model what came of it.
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/model/model_world.h"

namespace p2pd {

// ---- What can happen -------------------------------------------------------------------------------------

void ModelTest::Connect() {
  const int user = Random(kUsers);
  Client client = world_.Connect(static_cast<uint32_t>(1000 + user));
  const bool stubborn = OneIn(4);
  if (!stubborn) {
    client.channel->on_quiesce = [this, id = client.id](const QuiesceNotice& notice) {
      world_.broker->AckQuiesce(id, notice.operation);
    };
  }
  Trace(absl::StrCat("sessions/", client.id.value(), " connects", stubborn ? ", stubborn" : ""));
  model_.Connected(client.id.value(), user, stubborn);
  clients_[client.id.value()] = std::move(client);
}

void ModelTest::CloseFds(Id session) {
  Trace(absl::StrCat("sessions/", session, " closes its fds"));
  clients_.at(session).channel->grants.clear();
  model_.FdsClosed(session);
}

void ModelTest::End(Id session) {
  if (!OneIn(5)) CloseFds(session);
  Trace(absl::StrCat("sessions/", session, " ends"));
  world_.broker->EndSession(SessionId(session), "ends");
  world_.scheduler.RunReady();
  model_.Ended(session);
}

void ModelTest::Open(Id session) {
  const int device = Random(model::kDevices);
  Ask(
      absl::StrCat("opens ", device), model_.ExpectOpen(session, device),
      [=, this](const DeviceView&) { model_.Opened(session, device); }, &Broker::OpenDevice, session, Address(device));
}

void ModelTest::Close(Id session) {
  const int device = Random(model::kDevices);
  const Expect expect = model_.ExpectClose(session, device);
  if (expect != Expect::kRefused && !OneIn(5)) CloseFds(session);
  if (expect == Expect::kGranted) model_.Closed(device);
  Ask(
      absl::StrCat("closes ", device), expect,
      [=, this](const DeviceView&) {
        if (expect == Expect::kEither) model_.Closed(device);
      },
      &Broker::CloseDevice, session, Address(device));
}

void ModelTest::Ready(Id session) {
  const int device = Random(model::kDevices);
  const auto view = world_.broker->GetDevice(Address(device));
  Ask(
      absl::StrCat("has ", device, " ready"), model_.ExpectReady(session, device),
      [=, this](const DeviceView& now) {
        if (now.state == DeviceState::kReady) model_.DriverReady(device);
      },
      &Broker::DeviceReady, session, Address(device), view->generation);
}

void ModelTest::Reset(Id session) {
  const int device = Random(model::kDevices);
  const Expect expect = model_.ExpectReset(device);
  if (expect == Expect::kGranted) model_.ResetBegan(device);
  Ask(
      absl::StrCat("resets ", device), expect, [](const OperationView&) {}, &Broker::ResetDevice, session,
      Address(device));
}

void ModelTest::MakeExport(Id session) {
  const int device = Random(model::kExporters);
  const int slot = Random(model::kSlots - 1);
  const int slots = 1 + Random(2);
  const bool raw = OneIn(5);
  const bool mortal = OneIn(5);  // goes at the next Settle()
  const Terms terms(raw ? Grade::kRaw : Grade::kMapped,
                    mortal ? absl::Seconds(1 + Random(30)) : absl::InfiniteDuration());
  const Window window = {.device = Address(device), .bar = 2, .range = {slot * kSlotSize, slots * kSlotSize}};
  Ask(
      absl::StrCat("exports ", device, " slots ", slot, "+", slots, raw ? " RAW" : "", mortal ? " for a time" : ""),
      model_.ExpectExport(session, device, slot, slots, raw),
      [=, this](const ExportView& made) {
        model_.Exported(made.id.value(), session, device, slot, slots, raw);
        if (mortal) model_.MadeMortal(made.id.value());
      },
      &Broker::CreateExport, session, window, terms);
}

void ModelTest::MakeSpace(Id session) {
  const int engine = model::kExporters + Random(model::kEngines);
  Ask(
      absl::StrCat("makes a space of ", engine), model_.ExpectSpace(session, engine),
      [=, this](const AddressSpaceView& made) { model_.SpaceMade(made.id.value(), session, engine); },
      &Broker::CreateAddressSpace, session, std::vector<PciAddress>{Address(engine)});
}

void ModelTest::MakeMapping(Id session) {
  const Id source = AnyOf(model_.exports, session);
  const Id space = AnyOf(model_.spaces, session);
  Ask(
      absl::StrCat("maps exports/", source, " into address-spaces/", space), model_.ExpectMap(session, source, space),
      [=, this](const MappingView& made) { model_.Mapped(made.id.value(), session, source, space); }, &Broker::Map,
      session, MapArgs{.source = ExportId(source), .address_space = AddressSpaceId(space)});
}

void ModelTest::MakeBatch(Id session) {
  const Id source = AnyOf(model_.exports, session);
  const Id space = AnyOf(model_.spaces, session);
  const MapArgs one = {.source = ExportId(source), .address_space = AddressSpaceId(space)};
  Ask(
      absl::StrCat("maps exports/", source, " into address-spaces/", space, " twice"),
      model_.ExpectMap(session, source, space),
      [=, this](const std::vector<MappingView>& made) {
        for (const MappingView& view : made) model_.Mapped(view.id.value(), session, source, space);
      },
      &Broker::BatchMap, session, std::vector<MapArgs>{one, one});
}

void ModelTest::Acquire(Id session) {
  const int device = Random(model::kExporters);
  const int slot = Random(model::kSlots);
  const Id space = AnyOf(model_.spaces, session);
  Expect expect = model_.ExpectExport(session, device, slot, 1, false);
  const auto to = model_.spaces.find(space);
  const bool has_space = to != model_.spaces.end() && to->second.session == session;
  const bool engine_busy = has_space && model_.devices[to->second.engine].busy();
  if (!has_space || (expect == Expect::kGranted && !engine_busy && !model_.devices[device].ready)) {
    expect = Expect::kRefused;
  } else if (expect == Expect::kGranted && engine_busy) {
    expect = Expect::kEither;
  }
  const AcquireArgs args = {.window = {.device = Address(device), .bar = 2, .range = {slot * kSlotSize, kSlotSize}},
                            .importers = {{.address_space = AddressSpaceId(space)}}};
  Ask(
      absl::StrCat("acquires ", device, " slot ", slot, " for address-spaces/", space), expect,
      [=, this](const AcquiredView& got) {
        model_.Exported(got.source.id.value(), session, device, slot, 1, false);
        model_.Mapped(got.mappings[0].id.value(), session, got.source.id.value(), space);
      },
      &Broker::Acquire, session, args);
}

void ModelTest::Release(Id session) {
  switch (Random(3)) {
    case 0: {
      const Id id = AnyOf(model_.mappings, session);
      const auto it = model_.mappings.find(id);
      const Id owner = it == model_.mappings.end() ? 0 : it->second.session;
      return Ask(
          absl::StrCat("unmaps mappings/", id), model_.ExpectOwned(session, owner),
          [=, this](const MappingView&) { model_.Unmapped(id); }, &Broker::Unmap, session, MappingId(id));
    }
    case 1: {
      const Id id = AnyOf(model_.exports, session);
      const auto it = model_.exports.find(id);
      const Id owner = it == model_.exports.end() || it->second.given_up ? 0 : it->second.session;
      return Ask(
          absl::StrCat("deletes exports/", id),
          owner == session && it->second.revoking ? Expect::kEither : model_.ExpectOwned(session, owner),
          [=, this](const OperationView&) {
            if (model_.exports.contains(id)) model_.ExportDeleted(id);
          },
          &Broker::DeleteExport, session, ExportId(id));
    }
    default: {
      const Id id = AnyOf(model_.spaces, session);
      const auto it = model_.spaces.find(id);
      const Id owner = it == model_.spaces.end() ? 0 : it->second.session;
      return Ask(
          absl::StrCat("deletes address-spaces/", id), model_.ExpectOwned(session, owner),
          [=, this](const OperationView&) { model_.SpaceDeleted(id); }, &Broker::DeleteAddressSpace, session,
          AddressSpaceId(id));
    }
  }
}

void ModelTest::Revoke() {
  const Id id = Any(model_.exports);
  const auto it = model_.exports.find(id);
  const bool there = it != model_.exports.end() && !it->second.given_up;
  const bool sure = model_.Idle() && there && !it->second.revoking;
  const Expect expect = !there ? Expect::kRefused : sure ? Expect::kGranted : Expect::kEither;
  if (there) it->second.revoking = true;
  Ask(
      absl::StrCat("revokes exports/", id), expect,
      [=, this](const OperationView&) {
        if (model_.exports.contains(id)) model_.ExportDeleted(id);
      },
      &Broker::RevokeExport, observer_.id.value(), ExportId(id), std::string("model"));
}

void ModelTest::AckLate(Id session) {
  if (!model_.Idle()) return;  // then it would not be late
  Trace(absl::StrCat("sessions/", session, " acks late"));
  for (const QuiesceNotice& notice : std::exchange(clients_.at(session).channel->quiesces, {})) {
    world_.broker->AckQuiesce(SessionId(session), notice.operation);
  }
  world_.scheduler.RunReady();
  for (int device = 0; device < model::kDevices; ++device) model_.AckedLate(session, device);
}

void ModelTest::Error() {
  const int device = Random(model::kDevices);
  const bool fatal = OneIn(2);
  if (model_.devices[device].busy() || !model_.devices[device].usable()) return;
  Trace(absl::StrCat(device, " tells of ", fatal ? "a fatal" : "an", " error"));
  EXPECT_TRUE(
      world_.kernel->InjectError(Address(device), fatal ? sim::ErrorSeverity::kFatal : sim::ErrorSeverity::kNonFatal));
  world_.RunSignals();
  world_.EndRecovery(Address(device));
  model_.ErrorTold(device, fatal);
}

void ModelTest::ComeOrGo() {
  const int device = Random(model::kDevices);
  model::Device& known = model_.devices[device];
  if (known.gone && known.fds_held_by.empty()) {
    Trace(absl::StrCat(device, " returns"));
    world_.kernel->Step();
    EXPECT_TRUE(world_.kernel->Return(Address(device)));
    world_.broker->Rescan();
    world_.scheduler.RunReady();
    model_.Returned(device);
  } else if (!known.busy() && known.usable() && OneIn(3)) {
    Trace(absl::StrCat(device, " is unbound"));
    world_.kernel->Unbind(Address(device));
    world_.RunSignals();
    model_.Leaves(device);
  }
}

void ModelTest::Settle() {
  Trace("time passes");
  world_.scheduler.Advance(absl::Seconds(40));
  for (const auto& tell : std::exchange(at_settle_, {})) tell();
  model_.Settled();
  std::erase_if(clients_, [&](const auto& entry) {
    return !model_.sessions.contains(entry.first) && entry.second.channel->grants.empty();
  });
}

void ModelTest::Step() {
  if (model_.sessions.empty() || (model_.sessions.size() < kMostSessions && OneIn(10))) return Connect();
  if (OneIn(12)) return Settle();
  if (OneIn(60)) return Revoke();
  if (OneIn(60)) return Error();
  if (OneIn(40)) return ComeOrGo();
  if (OneIn(15)) {
    const Id client = Any(clients_);
    return CloseFds(clients_.contains(client) ? client : clients_.begin()->first);
  }
  auto entry = model_.sessions.begin();
  std::advance(entry, Random(static_cast<int>(model_.sessions.size())));
  const Id session = entry->first;
  switch (Random(24)) {
    case 0:
      return End(session);
    case 1:
      return Close(session);
    case 2:
    case 3:
      return Reset(session);
    case 4:
    case 5:
    case 6:
      return Open(session);
    case 7:
    case 8:
    case 9:
      return Ready(session);
    case 10:
    case 11:
    case 12:
      return MakeExport(session);
    case 13:
    case 14:
      return MakeSpace(session);
    case 15:
    case 16:
    case 17:
    case 18:
      return MakeMapping(session);
    case 19:
      return MakeBatch(session);
    case 20:
      return Acquire(session);
    case 21:
    case 22:
      return Release(session);
    default:
      return AckLate(session);
  }
}

}  // namespace p2pd
