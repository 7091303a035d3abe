#include "daemon/front/grpc_status.h"

#include <errno.h>

#include "daemon/base/errors.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/broker.pb.h"
#include "proto/p2pd/v1/rpc_status.pb.h"

namespace p2pd {
namespace {

v1::ErrorDetail DetailIn(const grpc::Status& status) {
  v1::RpcStatus details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  v1::ErrorDetail detail;
  EXPECT_EQ(details.details_size(), 1);
  EXPECT_TRUE(details.details(0).UnpackTo(&detail));
  return detail;
}

TEST(GrpcStatusTest, ProgramsGetWhatPeopleGet) {
  const grpc::Status status = ToGrpc(ErrnoError("VFIO_DEVICE_RESET", "devices/0000:01:00.0", EBUSY, "try again"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(status.error_message().find("VFIO_DEVICE_RESET"), std::string::npos);
  const v1::ErrorDetail detail = DetailIn(status);
  EXPECT_EQ(detail.reason(), v1::ErrorDetail::KERNEL);
  EXPECT_EQ(detail.step(), "VFIO_DEVICE_RESET");
  EXPECT_EQ(detail.object(), "devices/0000:01:00.0");
  EXPECT_EQ(detail.error_number(), EBUSY);
  EXPECT_EQ(detail.errno_name(), "EBUSY");
  EXPECT_EQ(detail.hint(), "try again");
}

TEST(GrpcStatusTest, AStatusMadeElsewhereHasAnEmptyDetail) {
  const grpc::Status status = ToGrpc(absl::InternalError("odd"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(DetailIn(status).reason(), v1::ErrorDetail::REASON_UNSPECIFIED);
}

TEST(GrpcStatusTest, OkIsOk) { EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok()); }

}  // namespace
}  // namespace p2pd
