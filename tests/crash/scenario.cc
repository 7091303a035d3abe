#include "tests/crash/scenario.h"

namespace p2pd {

void Scenario::CheckReach() {
  for (int slot = 0; slot < kSlots; ++slot) {
    bool must = false;
    bool may = making_ == slot;
    for (const auto& [id, known] : mappings_) {
      if (known.slot != slot) continue;
      may = true;
      must = must || !going_.contains(id);
    }
    const bool reaches = world_.kernel().CanReach(CoreWorld::kEngine, CoreWorld::kExporter, 2, slot * kSlot);
    EXPECT_TRUE(may || !reaches) << "slot " << slot << " is reached without a right";
    EXPECT_TRUE(reaches || !must) << "slot " << slot << " is not reached any more";
  }
}

void Scenario::CheckNothingReached() {
  for (int slot = 0; slot < kSlots; ++slot) {
    EXPECT_FALSE(world_.kernel().CanReach(CoreWorld::kEngine, CoreWorld::kExporter, 2, slot * kSlot)) << slot;
  }
}

void Scenario::Check() {
  CheckReach();
  if (client_ == nullptr) return;
  EXPECT_EQ(client_->revoked, 0) << "nobody has taken a device from it";
  if (driver_ != nullptr) {
    EXPECT_EQ(driver_->revoked, 0) << "it has closed its device itself";
  }
  std::set<MappingId> there;
  for (const MappingView& view : world_.broker().ListMappings(client_->session)) {
    there.insert(view.id);
    const auto known = mappings_.find(view.id);
    // Its answer was written, and p2pd ended before it was given.
    if (known == mappings_.end() && making_.has_value()) continue;
    if (view.source.has_value()) {
      ASSERT_NE(known, mappings_.end()) << "mappings/" << view.id.value() << " is nobody's";
      EXPECT_EQ(view.iova.start, known->second.iova);
    }
    EXPECT_EQ(view.state, MappingState::kActive) << view.state_reason;
  }
  for (const auto& [id, known] : mappings_) {
    EXPECT_TRUE(there.contains(id) || going_.contains(id)) << "mappings/" << id.value() << " is lost";
  }
  if (offer_.has_value()) {
    const std::vector<OfferView> offers = world_.broker().ListOffers(driver_->session, {});
    EXPECT_TRUE(!offers.empty() && offers.front().id == *offer_) << "the offer is lost";
  }
  CheckRepeat();
}

// Whoever asks again gets what it was answered.
void Scenario::CheckRepeat() {
  if (!first_map_.has_value() || !world_.alive()) return;
  std::optional<absl::StatusOr<MappingView>> again;
  world_.broker().Map(client_->session, first_map_->first, first_map_->second,
                      [&](absl::StatusOr<MappingView> got) { again = std::move(got); });
  ASSERT_TRUE(again.has_value());
  ASSERT_TRUE(again->ok()) << again->status();
  EXPECT_EQ((**again).id, first_mapping_);
}

DeviceView Scenario::Drive(CrashChannel& client, const PciAddress& device) {
  const std::string request = Next();
  const DeviceView opened = Granted("OpenDevice", world_.Ask(client, request, &Broker::OpenDevice, device));
  EXPECT_TRUE(client.grants.contains(request)) << "answered without its fd";
  return Granted("DeviceReady", world_.Ask(client, Next(), &Broker::DeviceReady, device, opened.generation));
}

MappingView Scenario::Map(ExportId source, int slot) {
  const MapArgs args = {.source = source, .address_space = space_.id};
  const std::string request = Next();
  making_ = slot;
  const MappingView view = Granted("Map", world_.Ask(*client_, request, &Broker::Map, args));
  Learn(view, slot);
  making_.reset();
  if (!first_map_.has_value()) {
    first_map_ = {request, args};
    first_mapping_ = view.id;
  }
  return view;
}

void Scenario::Begin() {
  Grants();
  Batches();
  Resets();
  RawOnes();
  Offers();
}

void Scenario::MapMore(int count) {
  const ExportView window =
      Granted("CreateExport", world_.Ask(*client_, Next(), &Broker::CreateExport, SlotOf(8), Terms()));
  for (int i = 0; i < count; ++i) Map(window.id, 8);
}

void Scenario::Run() {
  Begin();
  Ends();
}

void Scenario::Grants() {
  client_ = world_.Connect(1000);
  driver_ = world_.Connect(1001);
  Drive(*client_, CoreWorld::kEngine);
  Drive(*driver_, CoreWorld::kExporter);
  space_ = Granted("CreateAddressSpace", world_.Ask(*client_, Next(), &Broker::CreateAddressSpace,
                                                    std::vector<PciAddress>{CoreWorld::kEngine}));
  const ExportView window =
      Granted("CreateExport", world_.Ask(*client_, Next(), &Broker::CreateExport, SlotOf(0), Terms()));
  Map(window.id, 0);
  const MappingView second = Map(window.id, 0);
  EXPECT_TRUE(world_.Offer(*client_, "buffer").ok());
  const MappingView memory = Granted(
      "MapMemory",
      world_.Ask(*client_, Next(), &Broker::MapMemory, MapMemoryArgs{.memory = "buffer", .address_space = space_.id}));
  EXPECT_NE(memory.iova.start, 0u);
  Check();
  WillGo({second.id});
  Granted("Unmap", world_.Ask(*client_, Next(), &Broker::Unmap, second.id));
  HaveGone();
}

void Scenario::Batches() {
  const ExportView window =
      Granted("CreateExport", world_.Ask(*client_, Next(), &Broker::CreateExport, SlotOf(1), Terms()));
  const MapArgs one = {.source = window.id, .address_space = space_.id};
  making_ = 1;
  const auto views =
      Granted("BatchMap", world_.Ask(*client_, Next(), &Broker::BatchMap, std::vector<MapArgs>{one, one, one}));
  std::vector<MappingId> ids;
  for (const MappingView& view : views) {
    Learn(view, 1);
    ids.push_back(view.id);
  }
  making_.reset();
  Check();
  ids.pop_back();
  WillGo(ids);
  Granted("BatchUnmap", world_.Ask(*client_, Next(), &Broker::BatchUnmap, ids));
  HaveGone();
  making_ = 2;
  const AcquiredView acquired =
      Granted("Acquire", world_.Ask(*client_, Next(), &Broker::Acquire,
                                    AcquireArgs{.window = SlotOf(2), .importers = {{.address_space = space_.id}}}));
  ASSERT_EQ(acquired.mappings.size(), 1u);
  Learn(acquired.mappings.front(), 2);
  making_.reset();
  Granted("RenewExport",
          world_.Ask(*client_, Next(), &Broker::RenewExport, acquired.source.id, absl::Duration(absl::Hours(1))));
  WillGo({acquired.mappings.front().id});
  Granted("DeleteExport", world_.Ask(*client_, Next(), &Broker::DeleteExport, acquired.source.id));
  HaveGone();
}

void Scenario::Resets() {
  const OperationView reset =
      Granted("ResetDevice", world_.Ask(*driver_, Next(), &Broker::ResetDevice, ResetArgs(CoreWorld::kExporter)));
  EXPECT_EQ(reset.state, OperationState::kSucceeded) << reset.error;
  Check();
  const DeviceView view = *world_.broker().GetDevice(CoreWorld::kExporter);
  EXPECT_EQ(view.state, DeviceState::kAwaitingDriver);
  EXPECT_EQ(view.driver, driver_->session);
  Granted("DeviceReady", world_.Ask(*driver_, Next(), &Broker::DeviceReady, CoreWorld::kExporter, view.generation));
  EXPECT_TRUE(client_->resumed.contains(reset.id)) << "it stopped, and was never told to go on";
  Check();
}

void Scenario::RawOnes() {
  const std::string request = Next();
  const ExportView raw =
      Granted("RAW", world_.Ask(*client_, request, &Broker::CreateExport, SlotOf(4), Terms(Grade::kRaw)));
  EXPECT_TRUE(client_->grants.contains(request));
  const ExportView plain =
      Granted("CreateExport", world_.Ask(*client_, Next(), &Broker::CreateExport, SlotOf(5), Terms()));
  Map(plain.id, 5);
  Granted("DeleteExport", world_.Ask(*client_, Next(), &Broker::DeleteExport, raw.id));
  client_->grants.erase(request);
  Check();
}

void Scenario::Offers() {
  offer_ =
      Granted("OfferWindow", world_.Ask(*driver_, Next(), &Broker::OfferWindow, SlotOf(0, 4), OfferTerms{.uid = 1000}))
          .id;
  Granted("ReloadPolicy", world_.Ask(*client_, Next(), &Broker::ReloadPolicy, false));
  Check();
  const OfferId withdrawn = *std::exchange(offer_, std::nullopt);
  Granted("WithdrawOffer", world_.Ask(*driver_, Next(), &Broker::WithdrawOffer, withdrawn));
  EXPECT_TRUE(world_.broker().ListOffers(driver_->session, {}).empty());
  Check();
}

void Scenario::Ends() {
  // The exporter's driver goes, and with it everything that is mapped from its device.
  std::vector<MappingId> all;
  for (const auto& [id, known] : mappings_) all.push_back(id);
  WillGo(all);
  first_map_.reset();
  driver_->grants.clear();
  Granted("CloseDevice", world_.Ask(*driver_, Next(), &Broker::CloseDevice, CoreWorld::kExporter));
  HaveGone();
  // Of a device that nobody drives: after a reset it is ready at once.
  const ExportView undriven =
      Granted("CreateExport", world_.Ask(*client_, Next(), &Broker::CreateExport, SlotOf(7), Terms()));
  const MappingView passing = Map(undriven.id, 7);
  const OperationView reset =
      Granted("ResetDevice", world_.Ask(*client_, Next(), &Broker::ResetDevice, ResetArgs(CoreWorld::kExporter)));
  EXPECT_TRUE(client_->resumed.contains(reset.id)) << "it stopped, and was never told to go on";
  Check();
  WillGo({passing.id});
  first_map_.reset();
  Granted("DeleteExport", world_.Ask(*client_, Next(), &Broker::DeleteExport, undriven.id));
  HaveGone();
  Drive(*driver_, CoreWorld::kExporter);
  const ExportView window =
      Granted("CreateExport", world_.Ask(*client_, Next(), &Broker::CreateExport, SlotOf(6), Terms()));
  const MappingView last = Map(window.id, 6);
  first_map_.reset();
  Check();
  WillGo({last.id});
  world_.End(*client_);
  client_ = nullptr;
  HaveGone();
  world_.End(*driver_);
  driver_ = nullptr;
  const StatusView status = world_.broker().GetStatus();
  EXPECT_EQ(status.sessions + status.exports + status.mappings + status.address_spaces, 0u);
  for (const std::string& name : world_.store().names()) {
    EXPECT_TRUE(name == kJournalFdName || name.substr(0, 4) == "dev-" || name.substr(0, 4) == "ctx-") << name;
  }
  EXPECT_FALSE(world_.kernel().CanReach(CoreWorld::kEngine, CoreWorld::kExporter, 2, 6 * kSlot));
}

}  // namespace p2pd
