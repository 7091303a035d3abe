#include "daemon/core/testing/mapped_test.h"

#include <utility>

namespace p2pd {

MappedTest::MappedTest(BrokerOptions options) : world_(std::move(options)) {
  world_.Drive(driver_, CoreWorld::kExporter);
  world_.Drive(importer_, CoreWorld::kEngine);
  window_ = world_.Export(importer_, CoreWorld::kExporter, {0, kMiB});
  space_ = world_.Space(importer_, CoreWorld::kEngine);
  mapping_ = world_.Map(importer_, window_.id, space_.id);
}

void MappedTest::Ack(const Client& client) {
  ASSERT_FALSE(client.channel->quiesces.empty());
  world_.broker->AckQuiesce(client.id, client.channel->quiesces.back().operation);
  world_.scheduler.RunReady();
}

void MappedTest::Ready(const Client& driver, const PciAddress& device) {
  const auto ready = world_.Call(&Broker::DeviceReady, driver, device, Device(device).generation);
  EXPECT_TRUE(ready.ok()) << ready.status();
}

OperationView MappedTest::Last() {
  const std::vector<OperationView> all = world_.broker->ListOperations(importer_.id);
  if (all.empty()) return {};
  return world_.broker->GetOperation(importer_.id, all.back().id).value_or(OperationView());
}

}  // namespace p2pd
