// What most tests of core begin with: an exporter and an engine with a driver each, and a window of the one that is
// mapped for the other.
#ifndef P2PD_DAEMON_CORE_TESTING_MAPPED_TEST_H_
#define P2PD_DAEMON_CORE_TESTING_MAPPED_TEST_H_

#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {

class MappedTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kMiB = 1 << 20;

  explicit MappedTest(BrokerOptions options = {});

  // To the last that it was asked.
  void Ack(const Client& client);
  // The driver has set the device up again.
  void Ready(const Client& driver, const PciAddress& device = CoreWorld::kExporter);

  bool Reaches() { return world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0); }
  MappingView Mapping() { return world_.broker->GetMapping(importer_.id, mapping_.id).value_or(MappingView()); }
  DeviceView Device(const PciAddress& address = CoreWorld::kExporter) { return *world_.broker->GetDevice(address); }
  // The receipt of the last operation.
  OperationView Last();

  CoreWorld world_;
  Client driver_ = world_.Connect(1000);    // of the exporter
  Client importer_ = world_.Connect(1001);  // drives the engine
  ExportView window_;                       // the importer's
  AddressSpaceView space_;
  MappingView mapping_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_TESTING_MAPPED_TEST_H_
