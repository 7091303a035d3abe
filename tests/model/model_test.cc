// Random sequences of everything that clients, drivers and the administrator can do, against the reference
// model, on the simulated kernel with a clock that stands still. After each step:
//
//   no device reaches a byte without a live right;
//   nothing that p2pd shows as ACTIVE is dead in the kernel;
//
// and whenever no operation is under way: exactly what the model knows of is there, quotas are exact. At the end
// nothing is left, and no descriptor leaked.
//
// P2PD_MODEL_OPERATIONS says how many steps, P2PD_MODEL_SEED which: always the same ones unless told, so that a
// change that breaks is the change under test.
#include <cstdio>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/model/model_world.h"

namespace p2pd {

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
    const bool without_driver = view.driver.value_or(SessionId()).value() != known.driver;
    if (known.ending && (known.leaving ? view.state == DeviceState::kGone : without_driver)) {
      model_.DriverEndOver(device);
    }
  }
  std::set<Id> there;
  for (const SessionView& session : world_.broker->ListSessions(observer_.id)) there.insert(session.id.value());
  std::set<Id> over;
  for (const auto& [id, mapping] : model_.mappings) {
    if (!there.contains(mapping.session)) over.insert(mapping.session);
  }
  for (const auto& [id, it] : model_.exports) {
    if (!there.contains(it.session)) over.insert(it.session);
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
    EXPECT_EQ(view.state == DeviceState::kGone, device_known.gone) << device << " is " << Name(view.state);
    EXPECT_EQ(view.state == DeviceState::kReady, device_known.ready && device_known.usable())
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

namespace {

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
  SeeWhatIsOver();
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
