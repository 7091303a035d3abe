// A reset as the user of a window sees it: asked to stop, answers, told to go on.
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

constexpr char kExporter[] = "devices/0000:01:00.0";
constexpr char kImporter[] = "devices/0000:00:10.0";

class QuiesceTest : public testing::Test {
 protected:
  QuiesceTest() {
    client_.Hello();
    const v1::Device opened = Call<v1::Device>(&v1::Broker::Stub::OpenDevice, Named<v1::OpenDeviceRequest>(kImporter));
    EXPECT_TRUE(client_.Read()->has_grant());
    auto ready = Named<v1::DeviceReadyRequest>(kImporter);
    ready.set_generation(opened.generation());
    Call<v1::Device>(&v1::Broker::Stub::DeviceReady, ready);
    v1::CreateExportRequest window;
    window.mutable_window()->set_device(kExporter);
    window.mutable_window()->set_bar(2);
    window.mutable_window()->set_length(65536);
    const v1::Export exported = Call<v1::Export>(&v1::Broker::Stub::CreateExport, window);
    v1::CreateAddressSpaceRequest space;
    space.add_devices(kImporter);
    v1::MapRequest map;
    map.set_export_(exported.name());
    map.set_address_space(Call<v1::AddressSpace>(&v1::Broker::Stub::CreateAddressSpace, space).name());
    mapping_ = Call<v1::Mapping>(&v1::Broker::Stub::Map, map);
    EXPECT_EQ(mapping_.state(), v1::Mapping::ACTIVE);
  }

  template <typename Request>
  static Request Named(const std::string& name) {
    Request request;
    request.set_name(name);
    return request;
  }

  template <typename Response, typename Request>
  Response Call(grpc::Status (v1::Broker::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                Request request) {
    request.set_request_id(std::to_string(++requests_));
    Response response;
    const grpc::Status status = ((*stub_).*method)(CallAs(client_.welcome().token()).get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  TestDaemon daemon_;
  RawClient client_{daemon_.fd_path()};
  std::unique_ptr<v1::Broker::Stub> stub_ = daemon_.NewStub();
  int requests_ = 0;
  v1::Mapping mapping_;
};

TEST_F(QuiesceTest, AnAckedResetPutsTheMappingBackAndSaysSo) {
  v1::Operation operation;
  std::thread reset([&] {
    operation = Call<v1::Operation>(&v1::Broker::Stub::ResetDevice, Named<v1::ResetDeviceRequest>(kExporter));
  });
  const auto asked = client_.Read();
  ASSERT_TRUE(asked.has_value());
  const v1::QuiesceRequested quiesce = asked->quiesce_requested();
  EXPECT_EQ(quiesce.device(), kExporter);
  EXPECT_EQ(quiesce.mapping_count(), 1u);
  ASSERT_EQ(quiesce.mappings_size(), 1);
  EXPECT_EQ(quiesce.mappings(0), mapping_.name());
  EXPECT_GT(quiesce.deadline_monotonic_ns(), 0u);
  v1::ClientFrame ack;
  ack.mutable_ack_quiesce()->set_operation(quiesce.operation());
  client_.Send(ack);
  const auto told = client_.Read();
  reset.join();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->resumed().operation(), quiesce.operation());
  EXPECT_EQ(told->resumed().generation(), quiesce.generation());
  EXPECT_EQ(told->resumed().restored(), 1u);
  EXPECT_EQ(told->resumed().lost(), 0u);
  EXPECT_EQ(operation.name(), quiesce.operation());
  EXPECT_EQ(operation.state(), v1::Operation::SUCCEEDED);
  ASSERT_GE(operation.parties_size(), 1);
  EXPECT_EQ(operation.parties(0).answer(), v1::Operation::Party::ACKED);
  v1::GetMappingRequest request;
  request.set_name(mapping_.name());
  v1::Mapping after;
  ASSERT_TRUE(stub_->GetMapping(CallAs(client_.welcome().token()).get(), request, &after).ok());
  EXPECT_EQ(after.state(), v1::Mapping::ACTIVE);
  EXPECT_EQ(after.iova(), mapping_.iova());
}

TEST_F(QuiesceTest, WhoDoesNotAnswerIsCutOffAtTheDeadline) {
  const v1::Operation operation =
      Call<v1::Operation>(&v1::Broker::Stub::ResetDevice, Named<v1::ResetDeviceRequest>(kExporter));
  EXPECT_EQ(operation.state(), v1::Operation::SUCCEEDED);
  ASSERT_GE(operation.parties_size(), 1);
  EXPECT_EQ(operation.parties(0).answer(), v1::Operation::Party::FORCED);
}

}  // namespace
}  // namespace p2pd
