#include "client/p2pctl/names.h"

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

TEST(NamesTest, ADeviceMayBeTypedWithOrWithoutItsKindAndItsDomain) {
  for (const char* typed : {"01:00.0", "0000:01:00.0", "devices/01:00.0", "devices/0000:01:00.0"}) {
    EXPECT_EQ(DeviceName(typed).value_or("refused"), "devices/0000:01:00.0") << typed;
  }
  EXPECT_EQ(DeviceName("10000:3A:1f.7").value_or("refused"), "devices/10000:3a:1f.7");
}

TEST(NamesTest, RefusesWhatIsNoAddressAndSaysWhatIs) {
  for (const char* typed : {"", "nvme0", "01:00", "01:00.8", "sessions/7", "0000:01:00.0 "}) {
    EXPECT_EQ(DeviceName(typed).status().code(), absl::StatusCode::kInvalidArgument) << typed;
  }
  EXPECT_EQ(DeviceName("nvme0").status().message(),
            "'nvme0' is not a device's address (write 0000:01:00.0 or 01:00.0; p2pctl devices lists them)");
}

TEST(NamesTest, AnOperationMayBeTypedAsItsNumber) {
  EXPECT_EQ(OperationName("5").value_or("refused"), "operations/5");
  EXPECT_EQ(OperationName("operations/5").value_or("refused"), "operations/5");
  EXPECT_FALSE(OperationName("five").ok());
  EXPECT_FALSE(OperationName("-5").ok());
}

TEST(NamesTest, SoMayASessionAndAnExport) {
  EXPECT_EQ(SessionName("7").value_or("refused"), "sessions/7");
  EXPECT_EQ(ExportName("exports/12").value_or("refused"), "exports/12");
  EXPECT_EQ(ExportName("sessions/7").status().message(),
            "'sessions/7' is not an export's number (write 5 or exports/5; p2pctl exports lists them)");
}

TEST(NamesTest, WhatIsRevokedIsNamedWithItsKind) {
  EXPECT_EQ(RevocableName("sessions/7").value_or("refused"), "sessions/7");
  EXPECT_EQ(RevocableName("exports/12").value_or("refused"), "exports/12");
  for (const char* typed : {"7", "mappings/7", "exports/", "sessions/x", ""}) {
    EXPECT_EQ(RevocableName(typed).status().code(), absl::StatusCode::kInvalidArgument) << typed;
  }
}

TEST(NamesTest, FindsWhatWasProbablyMeant) {
  const std::vector<std::string> commands = {"status", "devices", "sessions", "reset"};
  EXPECT_EQ(Nearest("devcies", commands), "devices");
  EXPECT_EQ(Nearest("stauts", commands), "status");
  EXPECT_EQ(Nearest("rest", commands), "reset");
  EXPECT_EQ(Nearest("reset", commands), "reset");
}

TEST(NamesTest, GuessesNothingFromSomethingElse) {
  const std::vector<std::string> commands = {"status", "devices", "sessions", "reset"};
  EXPECT_EQ(Nearest("frobnicate", commands), "");
  EXPECT_EQ(Nearest("", commands), "");
  EXPECT_EQ(Nearest("ls", {"a", "rm"}), "");
}

}  // namespace
}  // namespace p2p::ctl
