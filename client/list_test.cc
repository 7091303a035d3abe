// Lists, however many pages they come in.
#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

class ListTest : public SessionFixture {
 protected:
  ListTest() : session_(Connect()) {
    for (uint64_t i = 0; i < 12; ++i) {
      exports_.push_back(*session_->CreateExport({.device = kExporter, .bar = 2, .offset = i << 12, .length = 4096}));
    }
  }

  std::unique_ptr<Session> session_;
  std::vector<Export> exports_;
};

TEST_F(ListTest, AllPagesArriveInTheOrderOfTheNumbers) {
  for (uint32_t page_size : {1, 5, 12, 13}) {
    p2pd_.broker().WithState([&](FakeState& state) { state.page_size = page_size; });
    const auto exports = session_->ListExports();
    ASSERT_TRUE(exports.ok()) << exports.status();
    ASSERT_EQ(exports->size(), 12u) << page_size;
    for (size_t i = 0; i < 12; ++i) EXPECT_EQ(exports->at(i).name(), exports_[i].name());
  }
}

TEST_F(ListTest, EveryListGoesThroughItsPages) {
  const auto other = Connect();
  const auto device = session_->OpenDevice(kImporter);
  const auto space = session_->CreateAddressSpace({kImporter});
  const auto second_space = session_->CreateAddressSpace({kImporter});
  const auto mappings = session_->BatchMap(
      {{.source = &exports_[0], .space = &*space}, {.source = &exports_[1], .space = &*second_space}});
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  ASSERT_TRUE(session_->ResetDevice(kExporter).ok());
  ASSERT_TRUE(session_->ResetDevice(kExporter).ok());
  p2pd_.broker().WithState([](FakeState& state) { state.page_size = 1; });
  EXPECT_EQ(session_->ListSessions()->size(), 2u);
  EXPECT_EQ(session_->ListAddressSpaces()->size(), 2u);
  EXPECT_EQ(session_->ListMappings()->size(), 2u);
  EXPECT_EQ(session_->ListOperations()->size(), 2u);
}

TEST_F(ListTest, APageThatNamesItselfAsTheNextEndsInAnError) {
  p2pd_.broker().WithState([](FakeState& state) { state.stuck_page_token = "exports/2"; });
  const auto exports = session_->ListExports();
  EXPECT_EQ(exports.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(GetErrorDetail(exports.status()).step(), "ListExports");
  EXPECT_EQ(p2pd_.calls().Of("ListExports").size(), 2u);
}

TEST_F(ListTest, AFailureInTheMiddleIsNoList) {
  p2pd_.broker().WithState([](FakeState& state) { state.page_size = 6; });
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::INVALID_ARGUMENT);
  p2pd_.calls().BeforeNextReply("ListExports", [&] {
    p2pd_.calls().FailNext("ListExports", MakeFailure(grpc::StatusCode::INVALID_ARGUMENT, detail, "what page?"));
  });
  EXPECT_EQ(session_->ListExports().status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace p2p::testing
