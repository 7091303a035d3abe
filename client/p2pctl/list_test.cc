// Lists, for people and as JSON.
#include "absl/strings/str_replace.h"
#include "client/p2pctl/p2pctl_fixture.h"
#include "client/p2pctl/text.h"
#include "google/protobuf/struct.pb.h"
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

class ListTest : public P2pctlFixture {
 protected:
  ListTest()
      : session_(Connect()),
        device_(*session_->OpenDevice(kImporter)),
        space_(*session_->CreateAddressSpace({kImporter})),
        export_(*session_->CreateExport({.device = kExporter, .bar = 2, .offset = 4096, .length = 65536})),
        mapping_(*session_->Map(export_, space_)) {}

  template <typename Message>
  Message FromJson(const std::string& json) {
    Message message;
    const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
    EXPECT_TRUE(status.ok()) << status << "\n" << json;
    return message;
  }

  std::unique_ptr<Session> session_;
  Device device_;
  AddressSpace space_;
  Export export_;
  Mapping mapping_;
};

TEST_F(ListTest, StatusShowsWhatThereIsAndHowMuch) {
  EXPECT_EQ(Run({"status"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("       Version:  0.0.fake\n"), HasSubstr("        Kernel:  simulation\n"),
                          HasSubstr("      Mappings:  1 (64 KiB)\n")));
  EXPECT_EQ(Run({"status", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::Status>(out_).mapped_bytes(), 65536u);
}

TEST_F(ListTest, StatusShowsWhatTheKernelCanDoAndWhatIsLimited) {
  EXPECT_EQ(Run({"status"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("CAPABILITY                   AVAILABLE  DETAIL\n"
                                    "VFIO_DEVICE_FEATURE_DMA_BUF  yes        -\n"
                                    "IOMMU_IOAS_MAP_FILE          no         windows cannot be mapped\n"),
                          HasSubstr("RESOURCE        USED     OF  BY-ALL     OF\n"
                                    "mapped bytes  64 KiB  1 GiB  64 KiB  4 GiB\n")));
}

TEST_F(ListTest, TheLogLevelIsShownAndSet) {
  EXPECT_EQ(Run({"log-level"}), ExitStatus::kOk);
  EXPECT_EQ(out_, "info\n");
  EXPECT_EQ(Run({"log-level", "debug"}), ExitStatus::kOk);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({"log-level", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<google::protobuf::Struct>(out_).fields().at("log_level").string_value(), "debug");
  EXPECT_EQ(Run({"status"}), ExitStatus::kOk);
  EXPECT_THAT(out_, HasSubstr("     Log level:  debug\n"));
}

TEST_F(ListTest, ALogLevelThatDoesNotExistIsRefusedWithThoseThatDo) {
  EXPECT_EQ(Run({"log-level", "loud"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, AllOf(HasSubstr("there is no log level 'loud'"), HasSubstr("error, warning, notice, info, debug")));
  EXPECT_TRUE(p2pd_.calls().Of("SetLogLevel").empty());
}

TEST_F(ListTest, PingSaysThatP2pdAnswersAndHowFast) {
  EXPECT_EQ(Run({"ping", "--count", "2"}), ExitStatus::kOk);
  EXPECT_THAT(out_, ::testing::MatchesRegex("(p2pd 0.0.fake answered in [0-9.]+ [um]?s\n){2}"));
  EXPECT_EQ(p2pd_.calls().Of("Ping").size(), 2u);
  EXPECT_EQ(Run({"ping", "--json"}), ExitStatus::kOk);
  EXPECT_GT(FromJson<google::protobuf::Struct>(out_).fields().at("seconds").number_value(), 0);
}

TEST_F(ListTest, DevicesAreATableWithAHeader) {
  EXPECT_EQ(Run({"devices"}), ExitStatus::kOk);
  EXPECT_EQ(out_,
            "DEVICE        ID         CLASS   STATE            GENERATION  DRIVER      GROUP  NODE  RESET  REASON\n"
            "0000:01:00.0  144d:a80a  010802  READY                     1  -               7     -  yes    -\n"
            "0000:02:00.0  144d:a80a  010802  AWAITING_DRIVER           1  sessions/1      7     -  yes    -\n");
}

TEST_F(ListTest, NoLegendLeavesTheHeaderOut) {
  EXPECT_EQ(Run({"devices", "--no-legend"}), ExitStatus::kOk);
  EXPECT_THAT(out_, StartsWith("0000:01:00.0"));
}

TEST_F(ListTest, JsonIsOneDocumentWithProtoFieldNamesAndEveryField) {
  EXPECT_EQ(Run({"--json", "devices"}), ExitStatus::kOk);
  const auto devices = FromJson<v1::ListDevicesResponse>(out_);
  ASSERT_EQ(devices.devices_size(), 2);
  EXPECT_EQ(devices.devices(0).name(), kExporter);
  EXPECT_THAT(out_, AllOf(StartsWith("{\n \"devices\": ["), HasSubstr("\"driver_session\": \"\"")));
}

TEST_F(ListTest, AnEmptyListIsJsonToo) {
  p2pd_.broker().WithState([](FakeState& state) { state.devices.clear(); });
  EXPECT_EQ(Run({"--json", "devices"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::ListDevicesResponse>(out_).devices_size(), 0);
  EXPECT_THAT(out_, HasSubstr("\"devices\": []"));
}

TEST_F(ListTest, DeviceShowShowsTheBars) {
  EXPECT_EQ(Run({"device", "show", "01:00.0"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("       Device:  0000:01:00.0\n"), HasSubstr("        State:  READY\n"),
                          HasSubstr("BAR    SIZE  KIND     EXPORTABLE  MSI-X\n"),
                          HasSubstr("  0  16 KiB  CONTROL  yes         0x2000+0x1000\n"),
                          HasSubstr("  2  64 MiB  MEMORY   yes         -\n")));
  EXPECT_EQ(Run({"device", "show", "devices/0000:01:00.0", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::Device>(out_).bars_size(), 2);
}

TEST_F(ListTest, AFaultedDeviceSaysWhy) {
  p2pd_.broker().WithState([](FakeState& state) {
    state.devices[kExporter].set_state(v1::Device::FAULTED);
    state.devices[kExporter].set_state_reason("VFIO_DEVICE_RESET: ENOTTY");
  });
  EXPECT_EQ(Run({"device", "show", "01:00.0"}), ExitStatus::kOk);
  EXPECT_THAT(out_, HasSubstr("State:  FAULTED (VFIO_DEVICE_RESET: ENOTTY)\n"));
}

TEST_F(ListTest, ADeviceThatSomebodyStillHoldsShowsWho) {
  p2pd_.broker().WithState([](FakeState& state) {
    v1::Device& device = state.devices[kExporter];
    device.set_state(v1::Device::TAINTED);
    v1::Holder* holder = device.add_holders();
    holder->set_pid(4711);
    holder->set_comm("qemu");
    holder->set_unit("vm.service");
    device.add_holders()->set_pid(4712);
  });
  EXPECT_EQ(Run({"device", "show", "01:00.0"}), ExitStatus::kOk);
  EXPECT_THAT(out_, HasSubstr("\n"
                              "HELD-BY-PID  COMMAND  UNIT\n"
                              "       4711  qemu     vm.service\n"
                              "       4712  -        -\n"));
  EXPECT_EQ(Run({"device", "show", "01:00.0", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::Device>(out_).holders(0).pid(), 4711);
}

TEST_F(ListTest, AnExportShowsWhenItExpires) {
  ASSERT_TRUE(export_.Renew(absl::Hours(1)).ok());
  const std::string when = TimeText(export_.info().expire_time());
  EXPECT_EQ(Run({"exports"}), ExitStatus::kOk);
  EXPECT_THAT(out_,
              AllOf(HasSubstr("  EXPIRES              RULE\n"), HasSubstr("  " + when + "  everything for tests")));
  EXPECT_EQ(Run({"export", "show", export_.name()}), ExitStatus::kOk);
  EXPECT_THAT(out_, HasSubstr("   Expires:  " + when + "\n"));
}

TEST_F(ListTest, EveryKindOfOperationHasItsName) {
  p2pd_.broker().WithState([](FakeState& state) {
    for (const auto kind :
         {v1::Operation::EXPIRY, v1::Operation::RECOVERY, v1::Operation::DEVICE_ERROR, v1::Operation::UNPLUG}) {
      const std::string name = "operations/" + std::to_string(90 + kind);
      state.operations[name].set_name(name);
      state.operations[name].set_kind(kind);
      state.operations[name].set_device(kExporter);
    }
  });
  EXPECT_EQ(Run({"operations", "--no-legend"}), ExitStatus::kOk);
  for (const char* kind : {"  EXPIRY  ", "  RECOVERY  ", "  DEVICE_ERROR  ", "  UNPLUG  "}) {
    EXPECT_THAT(absl::StrReplaceAll(out_, {{"   ", "  "}}), HasSubstr(kind));
  }
}

TEST_F(ListTest, SessionsNameTheirProcess) {
  EXPECT_EQ(Run({"sessions"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("SESSION"), HasSubstr("a-test"), HasSubstr("p2pctl")));
  EXPECT_EQ(Run({"sessions", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::ListSessionsResponse>(out_).sessions(0).client(), "a test");
}

TEST_F(ListTest, SessionShowShowsWhatItHolds) {
  EXPECT_EQ(Run({"session", "show", "1"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("       Session:  sessions/1\n"), HasSubstr("        Client:  a test\n"),
                          HasSubstr("        Drives:  0000:02:00.0\n"), HasSubstr("       Exports:  " + export_.name()),
                          HasSubstr("      Mappings:  " + mapping_.name())));
  EXPECT_EQ(Run({"session", "show", "sessions/1", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::Session>(out_).client(), "a test");
  EXPECT_EQ(Run({"session", "show", "77"}), ExitStatus::kNotFound);
}

TEST_F(ListTest, ExportShowShowsItsMappings) {
  EXPECT_EQ(Run({"export", "show", export_.name()}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("     State:  ACTIVE\n"), HasSubstr("    Length:  64 KiB\n"),
                          HasSubstr(mapping_.name() + "  " + space_.name() + "  0x100000000")));
  EXPECT_EQ(Run({"export", "show", export_.name(), "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::Export>(out_).window().length(), 65536u);
}

TEST_F(ListTest, ExportsNameWindowGradeAndRule) {
  EXPECT_EQ(Run({"exports", "--no-legend"}), ExitStatus::kOk);
  EXPECT_EQ(out_,
            export_.name() +
                "  sessions/1  0000:01:00.0  2  0x1000  64 KiB  MEMORY  MAPPED  ACTIVE  0  -  everything for tests\n");
  EXPECT_EQ(Run({"exports", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::ListExportsResponse>(out_).exports(0).window().offset(), 4096u);
}

TEST_F(ListTest, AddressSpacesNameDevicesAndUsableRanges) {
  EXPECT_EQ(Run({"address-spaces", "--no-legend"}), ExitStatus::kOk);
  EXPECT_EQ(out_, space_.name() + "  sessions/1  contexts/1  4 KiB  0000:02:00.0  0-0xfedfffff\n");
  EXPECT_EQ(Run({"address-spaces", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::ListAddressSpacesResponse>(out_).address_spaces_size(), 1);
}

TEST_F(ListTest, MappingsNameIovaSourceAndState) {
  EXPECT_EQ(Run({"mappings", "--no-legend"}), ExitStatus::kOk);
  EXPECT_EQ(out_, mapping_.name() + "  sessions/1  " + space_.name() + "  0x100000000  64 KiB  " + export_.name() +
                      "  0  READ_WRITE  ACTIVE  -\n");
  EXPECT_EQ(Run({"mappings", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(FromJson<v1::ListMappingsResponse>(out_).mappings(0).iova(), 0x100000000u);
}

TEST_F(ListTest, ColoursComeWithATerminalOrOnDemand) {
  Run({"devices"});
  EXPECT_THAT(out_, Not(HasSubstr("\033[")));
  Run({"devices", "--color=always"});
  EXPECT_THAT(out_, HasSubstr("\033[32mREADY"));
  color_terminal_ = true;
  Run({"devices"});
  EXPECT_THAT(out_, HasSubstr("\033[33mAWAITING_DRIVER"));
  Run({"devices", "--color", "never"});
  EXPECT_THAT(out_, Not(HasSubstr("\033[")));
}

}  // namespace
}  // namespace p2p::ctl
