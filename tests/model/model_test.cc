// Random sequences of everything that clients, drivers and the administrator can do, against the reference
// model, on the simulated kernel with a clock that stands still. After each step:
//
//   no device reaches a byte without a live right;
//   nothing that p2pd shows as ACTIVE is dead in the kernel;
//
// and whenever no operation is under way: exactly what the model knows of is there, quotas are exact. At the end
// nothing is left, and no descriptor leaked.
//
// P2PD_MODEL_OPERATIONS says how many steps, P2PD_MODEL_SEED which (the default is new each time, and printed).
#include <dirent.h>
#include <stdlib.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"
#include "tests/model/reference.h"

namespace p2pd {
namespace {

using model::Expect;
using model::Id;

constexpr uint64_t kSlotSize = 1 << 20;
constexpr size_t kMostSessions = 6;
constexpr int kUsers = 3;

const PciAddress& Address(int device) {
  static const PciAddress* const addresses[model::kDevices] = {&CoreWorld::kExporter, &CoreWorld::kExporter2,
                                                               &CoreWorld::kEngine, &CoreWorld::kEngine2};
  return *addresses[device];
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text != nullptr ? strtoull(text, nullptr, 0) : otherwise;
}

int OpenFds() {
  int count = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() : seed_(FromEnvironment("P2PD_MODEL_SEED", std::random_device()())), random_(seed_) {
    std::printf("P2PD_MODEL_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  int Random(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool OneIn(int n) { return Random(n) == 0; }
  template <typename Map>
  Id Any(const Map& map) {
    if (map.empty() || OneIn(40)) return 999999;
    auto entry = map.begin();
    std::advance(entry, Random(static_cast<int>(map.size())));
    return entry->first;
  }
  // One of the session's own, mostly.
  template <typename Map>
  Id AnyOf(const Map& map, Id session) {
    Map own;
    for (const auto& entry : map) {
      if (entry.second.session == session) own.insert(entry);
    }
    return own.empty() || OneIn(20) ? Any(map) : Any(own);
  }

  // Makes a call, and compares its outcome with what the model expects. `granted` tells the model, at once or,
  // for a call that waits for somebody, when it is over.
  template <typename... Params, typename Granted, typename... Args>
  void Ask(const std::string& what, Expect expect, Granted granted, void (Broker::*call)(Params...), Id session,
           Args&&... args) {
    using Outcome = typename OutcomeOf<std::tuple_element_t<sizeof...(Params) - 1, std::tuple<Params...>>>::Type;
    Trace(absl::StrCat("sessions/", session, " ", what));
    const auto outcome = std::make_shared<std::optional<Outcome>>();
    (world_.broker.get()->*call)(SessionId(session), world_.NextRequest(), std::forward<Args>(args)...,
                                 [outcome](Outcome got) { *outcome = std::move(got); });
    world_.scheduler.RunReady();
    if (!outcome->has_value()) {
      EXPECT_NE(expect, Expect::kRefused) << "it waits instead of refusing";
      at_settle_.push_back([outcome, granted, what] {
        ASSERT_TRUE(outcome->has_value()) << what << " never returned";
        if ((**outcome).ok()) granted(***outcome);
      });
      return;
    }
    const absl::Status status = (**outcome).status();
    if (expect != Expect::kEither) {
      EXPECT_EQ(status.ok(), expect == Expect::kGranted) << what << ": " << status;
    }
    ++(status.ok() ? granted_ : refused_);
    if (status.ok() && expect != Expect::kRefused) granted(***outcome);
  }

  void Step();
  void Connect();
  void End(Id session);
  void Open(Id session);
  void Close(Id session);
  void Ready(Id session);
  void Reset(Id session);
  void MakeExport(Id session);
  void MakeSpace(Id session);
  void MakeMapping(Id session);
  void MakeBatch(Id session);
  void Acquire(Id session);
  void Release(Id session);
  void Revoke();
  void AckLate(Id session);
  void Settle();
  void CloseFds(Id session);

  void SeeWhatIsOver();
  void CheckReach();
  void CheckBooks();
  void Trace(const std::string& what) {
    trace_.push_back(what);
    if (trace_.size() > 40) trace_.pop_front();
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const int fds_ = OpenFds();
  std::optional<CoreWorld> a_world_{std::in_place};
  CoreWorld& world_ = *a_world_;
  const Client observer_ = world_.Connect(0);
  model::Reference model_;
  std::map<Id, Client> clients_;  // also of ended sessions that keep descriptors
  std::vector<std::function<void()>> at_settle_;
  std::deque<std::string> trace_;
  int granted_ = 0;
  int refused_ = 0;
};

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
  const Window window = {.device = Address(device), .bar = 2, .range = {slot * kSlotSize, slots * kSlotSize}};
  Ask(
      absl::StrCat("exports ", device, " slots ", slot, "+", slots, raw ? " RAW" : ""),
      model_.ExpectExport(session, device, slot, slots, raw),
      [=, this](const ExportView& made) { model_.Exported(made.id.value(), session, device, slot, slots, raw); },
      &Broker::CreateExport, session, window, raw ? Grade::kRaw : Grade::kMapped);
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
  if (to == model_.spaces.end() || to->second.session != session) {
    expect = Expect::kRefused;
  } else if (expect == Expect::kGranted && model_.devices[to->second.engine].busy()) {
    expect = Expect::kEither;
  } else if (expect == Expect::kGranted && !model_.devices[device].ready) {
    expect = Expect::kRefused;
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

// The model does not know how long things take: that they are over it takes from p2pd, and at Settle() nothing
// may be left.
void ModelTest::SeeWhatIsOver() {
  for (int device = 0; device < model::kDevices; ++device) {
    const DeviceView view = *world_.broker->GetDevice(Address(device));
    const bool at_work = view.state == DeviceState::kQuiescing || view.state == DeviceState::kResetting ||
                         view.state == DeviceState::kRestoring;
    model::Device& known = model_.devices[device];
    if (at_work) continue;
    if (known.resetting) model_.ResetOver(device);
    if (known.ending && view.driver.value_or(SessionId()).value() != known.driver) model_.DriverEndOver(device);
  }
  std::set<Id> there;
  for (const SessionView& session : world_.broker->ListSessions(observer_.id)) there.insert(session.id.value());
  std::set<Id> over;
  for (const auto& [id, mapping] : model_.mappings) {
    if (!there.contains(mapping.session)) over.insert(mapping.session);
  }
  for (const Id session : over) model_.SessionOver(session);
}

// ---- What must hold --------------------------------------------------------------------------------------

void ModelTest::CheckReach() {
  for (int engine = model::kExporters; engine < model::kDevices; ++engine) {
    for (int device = 0; device < model::kExporters; ++device) {
      for (int slot = 0; slot <= model::kSlots; ++slot) {
        const bool reaches = world_.kernel->CanReach(Address(engine), Address(device), 2, slot * kSlotSize);
        EXPECT_TRUE(!reaches || model_.MayReach(engine, device, slot))
            << engine << " reaches " << device << ":" << slot;
      }
    }
  }
  for (const MappingView& view : world_.broker->ListMappings(observer_.id)) {
    if (view.state != MappingState::kActive) continue;
    const auto mapping = model_.mappings.find(view.id.value());
    ASSERT_NE(mapping, model_.mappings.end()) << "mappings/" << view.id.value() << " is ACTIVE without a right";
    EXPECT_TRUE(world_.kernel->CanReach(Address(mapping->second.engine), Address(mapping->second.device), 2,
                                        mapping->second.slot * kSlotSize))
        << "mappings/" << view.id.value() << " is ACTIVE, and dead";
  }
}

template <typename View, typename Map>
void ExpectSame(const char* what, const std::vector<View>& there, const Map& known) {
  std::set<Id> ids;
  for (const View& view : there) ids.insert(view.id.value());
  std::set<Id> expected;
  for (const auto& entry : known) expected.insert(entry.first);
  EXPECT_EQ(absl::StrJoin(ids, " "), absl::StrJoin(expected, " ")) << what;
}

void ModelTest::CheckBooks() {
  ExpectSame("mappings", world_.broker->ListMappings(observer_.id), model_.mappings);
  // Once nobody holds its dma-buf, a RAW export goes when p2pd next looks.
  std::vector<ExportView> exports = world_.broker->ListExports(observer_.id);
  std::erase_if(exports, [&](const ExportView& view) { return model_.MayLinger(view.id.value()); });
  auto known = model_.exports;
  std::erase_if(known, [&](const auto& entry) { return model_.MayLinger(entry.first); });
  ExpectSame("exports", exports, known);
  ExpectSame("address spaces", world_.broker->ListAddressSpaces(observer_.id), model_.spaces);
  for (const MappingView& view : world_.broker->ListMappings(observer_.id)) {
    EXPECT_EQ(view.state == MappingState::kSuspended, model_.mappings.at(view.id.value()).cut_off);
  }
  for (int device = 0; device < model::kDevices; ++device) {
    const model::Device& device_known = model_.devices[device];
    const DeviceView view = *world_.broker->GetDevice(Address(device));
    EXPECT_EQ(view.state == DeviceState::kTainted, device_known.tainted) << device << " is " << Name(view.state);
    EXPECT_EQ(view.state == DeviceState::kReady, device_known.ready && !device_known.tainted)
        << device << " is " << Name(view.state);
    EXPECT_EQ(view.driver.value_or(SessionId()).value(), device_known.driver) << device;
  }
  for (const auto& [id, session] : model_.sessions) {
    for (const UsageView& usage : world_.broker->GetStatus(SessionId(id)).usage) {
      if (usage.resource != "mappings") continue;
      EXPECT_EQ(usage.used, model_.MappingsOf(session.user)) << "sessions/" << id;
    }
  }
}

TEST_F(ModelTest, NoSequenceBreaksTheGuarantees) {
  const uint64_t operations = FromEnvironment("P2PD_MODEL_OPERATIONS", 20000);
  for (uint64_t i = 0; i < operations; ++i) {
    Step();
    SeeWhatIsOver();
    CheckReach();
    if (model_.Idle() && at_settle_.empty()) {
      bool ending = false;
      for (const auto& [id, mapping] : model_.mappings) ending = ending || mapping.ending;
      if (!ending) CheckBooks();
    }
    if (HasFailure()) {
      FAIL() << "step " << i << " of seed " << seed_ << ":\n  " << absl::StrJoin(trace_, "\n  ");
    }
  }
  while (!model_.sessions.empty()) End(model_.sessions.begin()->first);
  for (const auto& [id, client] : clients_) {
    client.channel->grants.clear();
    model_.FdsClosed(id);
  }
  Settle();
  CheckReach();
  CheckBooks();
  clients_.clear();
  const StatusView left = world_.broker->GetStatus();
  EXPECT_EQ(left.mappings + left.exports + left.address_spaces + left.mapped_bytes, 0u);
  a_world_.reset();
  EXPECT_EQ(OpenFds(), fds_) << "a descriptor leaked";
  std::printf("model: %llu operations, %d granted, %d refused\n", static_cast<unsigned long long>(operations), granted_,
              refused_);
}

}  // namespace
}  // namespace p2pd
