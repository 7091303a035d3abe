// Resets and their receipts.
#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::p2p::testing::kExporter;
using ::p2p::testing::kImporter;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ResetTest : public P2pctlFixture {
 protected:
  ResetTest()
      : session_(Connect()),
        device_(*session_->OpenDevice(kImporter)),
        space_(*session_->CreateAddressSpace({kImporter})),
        export_(*session_->CreateExport({.device = kExporter, .bar = 2, .length = 65536})),
        mapping_(*session_->Map(export_, space_)) {}

  std::unique_ptr<Session> session_;
  Device device_;
  AddressSpace space_;
  Export export_;
  Mapping mapping_;
};

TEST_F(ResetTest, PrintsTheReceiptStepByStep) {
  ASSERT_EQ(Run({"reset", "01:00.0"}), ExitStatus::kOk) << err_;
  const std::string name = session_->ListOperations()->at(0).name();
  EXPECT_EQ(out_, name +
                      ": RESET of 0000:01:00.0 SUCCEEDED after 118.00 ms, generation 2\n"
                      "\n"
                      "STEP          AT     TOOK  RESULT\n"
                      "quiesce     0 us  1.50 ms  ok\n"
                      "unmap    1.50 ms  1.50 ms  ok\n"
                      "reset    3.00 ms  1.50 ms  ok\n"
                      "restore  4.50 ms  1.50 ms  ok\n"
                      "\n"
                      "SESSION     ANSWER   AFTER\n"
                      "sessions/1  ACKED   250 us\n"
                      "sessions/5  ACKED   250 us\n"
                      "\n"
                      "MAPPING            IOVA  STATE   REASON\n" +
                      mapping_.name() + "  0x100000000  ACTIVE  -\n");
}

TEST_F(ResetTest, TheReceiptIsThereLater) {
  ASSERT_EQ(Run({"reset", "01:00.0"}), ExitStatus::kOk) << err_;
  const std::string receipt = out_;
  const std::string name = session_->ListOperations()->at(0).name();
  EXPECT_EQ(Run({"operation", "show", name}), ExitStatus::kOk);
  EXPECT_EQ(out_, receipt);
  EXPECT_EQ(Run({"operation", "show", name.substr(name.find('/') + 1)}), ExitStatus::kOk);
  EXPECT_EQ(out_, receipt);
  EXPECT_EQ(Run({"operations", "--no-legend"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(StartsWith(name + "  RESET  0000:01:00.0  SUCCEEDED"), HasSubstr("2 ACKED  1")));
}

TEST_F(ResetTest, JsonIsTheOperation) {
  ASSERT_EQ(Run({"reset", "0000:01:00.0", "--json"}), ExitStatus::kOk) << err_;
  v1::Operation operation;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &operation).ok()) << out_;
  EXPECT_EQ(operation.steps_size(), 4);
  EXPECT_EQ(Run({"operations", "--json"}), ExitStatus::kOk);
  v1::ListOperationsResponse operations;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &operations).ok()) << out_;
  EXPECT_EQ(operations.operations(0).name(), operation.name());
}

TEST_F(ResetTest, AFailedOperationShowsWhatFailed) {
  p2pd_.broker().WithState([](FakeState& state) {
    v1::Operation& operation = state.operations["operations/77"];
    operation.set_name("operations/77");
    operation.set_state(v1::Operation::FAILED);
    operation.set_error("1 mapping lost");
    operation.add_steps()->set_what("restore");
    operation.mutable_steps(0)->set_error("IOMMU_IOAS_MAP_FILE: ENODEV");
  });
  EXPECT_EQ(Run({"operation", "show", "77"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("Error: 1 mapping lost\n"), HasSubstr("IOMMU_IOAS_MAP_FILE: ENODEV")));
}

TEST_F(ResetTest, OfABusTheReceiptShowsAllDevices) {
  ASSERT_EQ(Run({"reset", "02:00.0", "--scope=bus"}), ExitStatus::kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(": RESET of 0000:02:00.0 and 1 more SUCCEEDED after 118.00 ms, generation 2\n"
                                    "Devices: 0000:02:00.0 0000:01:00.0\n"),
                          HasSubstr(mapping_.name() + "  0x100000000  ACTIVE")));
  EXPECT_EQ(Run({"operations", "--no-legend"}), ExitStatus::kOk);
  EXPECT_THAT(out_, HasSubstr("  RESET  0000:02:00.0,0000:01:00.0  SUCCEEDED"));
  ASSERT_EQ(Run({"reset", "01:00.0", "--scope", "function"}), ExitStatus::kOk) << err_;
  EXPECT_THAT(out_, Not(HasSubstr("Devices:")));
}

TEST_F(ResetTest, AnOperationThatIsUnderWayHasTakenNoTimeYet) {
  p2pd_.broker().WithState([](FakeState& state) {
    v1::Operation& operation = state.operations["operations/77"];
    operation.set_name("operations/77");
    operation.set_kind(v1::Operation::UNPLUG);
    operation.set_device(kExporter);
    operation.set_state(v1::Operation::RUNNING);
  });
  EXPECT_EQ(Run({"operation", "show", "77"}), ExitStatus::kOk);
  EXPECT_EQ(out_, "operations/77: UNPLUG of 0000:01:00.0 RUNNING\n");
}

TEST_F(ResetTest, ThereAreTwoScopes) {
  EXPECT_EQ(Run({"reset", "01:00.0", "--scope=slot"}), ExitStatus::kUsage);
  EXPECT_EQ(err_, "p2pctl: --scope: there is no 'slot'\nHint: write function or bus\n");
  EXPECT_TRUE(p2pd_.calls().Of("ResetDevice").empty());
}

TEST_F(ResetTest, AFaultedDeviceIsRecoveredWithAReceipt) {
  EXPECT_EQ(Run({"device", "recover", "01:00.0"}), ExitStatus::kFailed);
  EXPECT_EQ(err_, "p2pctl: RecoverDevice: devices/0000:01:00.0: it is not FAULTED\n");
  p2pd_.broker().WithState([](FakeState& state) { state.devices[kExporter].set_state(v1::Device::FAULTED); });
  EXPECT_EQ(Run({"device", "recover", "01:00.0"}), ExitStatus::kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(": RECOVERY of 0000:01:00.0 SUCCEEDED"), HasSubstr(mapping_.name())));
  EXPECT_EQ(session_->GetDevice(kExporter)->state(), v1::Device::READY);
  EXPECT_EQ(Run({"device", "recover", "05:00.0"}), ExitStatus::kNotFound);
}

TEST_F(ResetTest, AnUnknownDeviceIsNotFound) {
  EXPECT_EQ(Run({"reset", "05:00.0"}), ExitStatus::kNotFound);
  EXPECT_EQ(err_, "p2pctl: ResetDevice: devices/0000:05:00.0: no such object\n");
  EXPECT_EQ(out_, "");
}

}  // namespace
}  // namespace p2p::ctl
