#include "daemon/base/errors.h"

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

TEST(ErrorsTest, AFailedKernelCallNamesStepObjectErrnoAndHint) {
  const absl::Status status = ErrnoError("IOMMU_IOAS_MAP_FILE", "ioas 3", ENODEV, "the exporter is in reset");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "IOMMU_IOAS_MAP_FILE: ioas 3: No such device [ENODEV] (the exporter is in reset)");
  const ErrorInfo info = GetErrorInfo(status);
  EXPECT_EQ(info.reason, Reason::kKernel);
  EXPECT_EQ(info.step, "IOMMU_IOAS_MAP_FILE");
  EXPECT_EQ(info.object, "ioas 3");
  EXPECT_EQ(info.error, ENODEV);
  EXPECT_EQ(info.hint, "the exporter is in reset");
}

TEST(ErrorsTest, AnIoctlTheKernelLacksIsUnimplementedNotInvalid) {
  for (int error : {ENOTTY, E2BIG}) {
    const absl::Status status = ErrnoError("VFIO_DEVICE_FEATURE", "vfio0", error);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(GetErrorInfo(status).reason, Reason::kKernelUnsupported);
  }
}

TEST(ErrorsTest, EpermFromTheKernelIsNotADenialByPolicy) {
  const absl::Status status = ErrnoError("VFIO_DEVICE_BIND_IOMMUFD", "vfio0", EPERM);
  EXPECT_NE(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(GetErrorInfo(status).reason, Reason::kKernel);
}

TEST(ErrorsTest, ABetterHintReplacesTheFirst) {
  const absl::Status status = WithHint(ErrnoError("step", "object", EBUSY, "first"), "second");
  EXPECT_THAT(std::string(status.message()), HasSubstr("(second)"));
  EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("first")));
  EXPECT_EQ(GetErrorInfo(status).error, EBUSY);
}

TEST(ErrorsTest, AStatusMadeElsewhereCarriesNothing) {
  EXPECT_EQ(GetErrorInfo(absl::InternalError("x")).reason, Reason::kUnspecified);
}

}  // namespace
}  // namespace p2pd
