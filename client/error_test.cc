#include "client/error.h"

#include "client/grpc_error.h"
#include "daemon/base/errors.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/rpc_status.pb.h"

namespace p2p {
namespace {

grpc::Status FromServer(grpc::StatusCode code, v1::ErrorDetail::Reason reason) {
  v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_step("Map");
  detail.set_hint("ask for less");
  v1::RpcStatus status;
  status.add_details()->PackFrom(v1::Welcome());  // some other detail, passed over
  status.add_details()->PackFrom(detail);
  return grpc::Status(code, "Map: exports/1: no (ask for less)", status.SerializeAsString());
}

TEST(ErrorTest, AnErrorOfP2pdKeepsItsMessageAndItsFacts) {
  const absl::Status status =
      internal::FromGrpc(FromServer(grpc::StatusCode::RESOURCE_EXHAUSTED, v1::ErrorDetail::QUOTA));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "Map: exports/1: no (ask for less)");
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::QUOTA);
  EXPECT_EQ(GetErrorDetail(status).step(), "Map");
  EXPECT_EQ(GetErrorDetail(status).hint(), "ask for less");
}

TEST(ErrorTest, DetailsThatDoNotParseAreLeftOut) {
  const absl::Status status = internal::FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "bad day", "\xff\xff"));
  EXPECT_EQ(status.message(), "bad day");
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::REASON_UNSPECIFIED);
}

TEST(ErrorTest, SuccessStaysSuccess) { EXPECT_TRUE(internal::FromGrpc(grpc::Status::OK).ok()); }

TEST(ErrorTest, AnErrorOfTheLibraryHasTheSameFacts) {
  const v1::ErrorDetail detail = GetErrorDetail(p2pd::ErrnoError("mmap", "bounce", ENOMEM, "use less"));
  EXPECT_EQ(detail.reason(), v1::ErrorDetail::KERNEL);
  EXPECT_EQ(detail.step(), "mmap");
  EXPECT_EQ(detail.error_number(), ENOMEM);
  EXPECT_EQ(detail.errno_name(), "ENOMEM");
  EXPECT_EQ(detail.hint(), "use less");
}

TEST(ErrorTest, ABrokenConnectionAndAnEndedSessionCountAsDisconnected) {
  EXPECT_TRUE(IsDisconnected(internal::FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "reset by peer"))));
  EXPECT_TRUE(IsDisconnected(
      internal::FromGrpc(FromServer(grpc::StatusCode::UNAUTHENTICATED, v1::ErrorDetail::SESSION_ENDED))));
}

TEST(ErrorTest, ARefusalOfP2pdDoesNotCountAsDisconnected) {
  EXPECT_FALSE(
      IsDisconnected(internal::FromGrpc(FromServer(grpc::StatusCode::UNAVAILABLE, v1::ErrorDetail::DEVICE_NOT_READY))));
  EXPECT_FALSE(IsDisconnected(absl::OkStatus()));
}

}  // namespace
}  // namespace p2p
