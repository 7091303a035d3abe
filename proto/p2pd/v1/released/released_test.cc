// The .proto files of this tree still serve clients of the last release.

#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/broker.pb.h"
#include "proto/p2pd/v1/config.pb.h"
#include "proto/p2pd/v1/fd_channel.pb.h"
#include "proto/p2pd/v1/policy.pb.h"
#include "proto/p2pd/v1/released/wire_changes.h"
#include "proto/p2pd/v1/rpc_status.pb.h"
#include "proto/p2pd/v1/simulation.pb.h"

namespace p2pd {
namespace {

using ::google::protobuf::FileDescriptorSet;

FileDescriptorSet Released() {
  std::ifstream file("proto/p2pd/v1/released/descriptors.textproto");
  std::ostringstream text;
  text << file.rdbuf();
  FileDescriptorSet set;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text.str(), &set));
  return set;
}

FileDescriptorSet Current() {
  FileDescriptorSet set;
  for (const auto* file : {v1::Device::descriptor()->file(), v1::Config::descriptor()->file(),
                           v1::ClientFrame::descriptor()->file(), v1::PolicyFile::descriptor()->file(),
                           v1::RpcStatus::descriptor()->file(), v1::Simulation::descriptor()->file()}) {
    file->CopyTo(set.add_file());
  }
  return set;
}

TEST(ReleasedTest, TheSnapshotHoldsTheInterface) {
  const FileDescriptorSet released = Released();
  ASSERT_GE(released.file_size(), 5);
  bool has_service = false;
  for (const auto& file : released.file()) has_service |= file.service_size() > 0;
  EXPECT_TRUE(has_service);
}

TEST(ReleasedTest, ClientsOfTheLastReleaseStillFindEverything) {
  EXPECT_THAT(WireChanges(Released(), Current()), ::testing::IsEmpty());
}

}  // namespace
}  // namespace p2pd
