// Acquire, BatchMap, BatchUnmap: all or nothing, and done once.
#include <optional>
#include <utility>
#include <vector>

#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

const WindowOptions kWindow = {.device = kExporter, .bar = 2, .offset = 4096, .length = 65536};

class BatchTest : public SessionFixture {
 protected:
  BatchTest()
      : session_(Connect()),
        device_(*session_->OpenDevice(kImporter)),
        space_(*session_->CreateAddressSpace({kImporter})),
        gone_(*session_->CreateAddressSpace({kImporter})),
        export_(*session_->CreateExport(kWindow)) {
    gone_.Release().status().IgnoreError();
  }

  // Pages of the export, each at a place of its own.
  std::vector<MapItem> Pages(uint64_t count) const {
    std::vector<MapItem> items;
    for (uint64_t i = 0; i < count; ++i) {
      items.push_back({.source = &export_, .space = &space_, .options = {.offset = i * 4096, .length = 4096}});
    }
    return items;
  }

  std::unique_ptr<Session> session_;
  Device device_;
  AddressSpace space_;
  AddressSpace gone_;
  Export export_;
};

TEST_F(BatchTest, AcquireMakesTheWindowAndMapsItForEach) {
  auto acquired = session_->Acquire(kWindow, {{.space = &space_, .access = v1::READ, .iova = 0x100000},
                                              {.space = &space_, .iova_max = 0xffffffff, .alignment = 1 << 21}});
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  EXPECT_EQ(acquired->window.window().offset(), 4096u);
  ASSERT_EQ(acquired->mappings.size(), 2u);
  EXPECT_EQ(acquired->mappings[0].iova(), 0x100000u);
  EXPECT_EQ(acquired->mappings[0].access(), v1::READ);
  EXPECT_EQ(acquired->mappings[1].length(), 65536u);
  EXPECT_EQ(acquired->mappings[1].info().export_(), acquired->window.name());
}

TEST_F(BatchTest, AcquireForNobodyIsAnExport) {
  const auto acquired = session_->Acquire(kWindow, {});
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  EXPECT_TRUE(acquired->mappings.empty());
  EXPECT_EQ(session_->ListExports()->size(), 2u);
}

TEST_F(BatchTest, AcquireOfGradeRawBringsTheDmaBuf) {
  WindowOptions raw = kWindow;
  raw.grade = v1::RAW;
  const auto acquired = session_->Acquire(raw, {{.space = &space_}});
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  EXPECT_GE(acquired->window.dma_buf(), 0);
}

TEST_F(BatchTest, AnAcquireOneOfWhoseMapsFailsLeavesNothing) {
  const auto acquired = session_->Acquire(kWindow, {{.space = &space_}, {.space = &gone_}});
  EXPECT_EQ(GetErrorDetail(acquired.status()).object(), gone_.name());
  EXPECT_TRUE(session_->ListMappings()->empty());
  EXPECT_EQ(session_->ListExports()->size(), 1u);
}

TEST_F(BatchTest, WhatWasAcquiredIsGivenBack) {
  { const auto acquired = session_->Acquire(kWindow, {{.space = &space_}}); }
  EXPECT_TRUE(session_->ListMappings()->empty());
  EXPECT_EQ(session_->ListExports()->size(), 1u);
}

TEST_F(BatchTest, BatchMapAnswersInTheOrderOfTheItems) {
  const auto mappings = session_->BatchMap(Pages(3));
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  ASSERT_EQ(mappings->size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ((*mappings)[i].info().offset(), i * 4096);
  EXPECT_EQ(p2pd_.calls().Of("Map").size(), 0u);
}

TEST_F(BatchTest, ABatchOneOfWhoseMapsFailsLeavesNothing) {
  std::vector<MapItem> items = Pages(3);
  items[2].space = &gone_;
  const auto mappings = session_->BatchMap(items);
  EXPECT_EQ(GetErrorDetail(mappings.status()).object(), gone_.name());
  EXPECT_TRUE(session_->ListMappings()->empty());
}

TEST_F(BatchTest, LostRepliesAreAskedForAgainUnderTheirRequestIds) {
  for (const char* call : {"Acquire", "BatchMap", "BatchUnmap"}) {
    p2pd_.calls().BeforeNextReply(call, [this] { p2pd_.CutGrpcConnections(); });
  }
  const auto acquired = session_->Acquire(kWindow, {{.space = &space_}});
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  EXPECT_EQ(session_->ListExports()->size(), 2u);
  auto mappings = session_->BatchMap(Pages(2));
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  EXPECT_EQ(session_->ListMappings()->size(), 3u);
  EXPECT_TRUE(session_->BatchUnmap(*std::move(mappings)).ok());
  EXPECT_EQ(session_->ListMappings()->size(), 1u);
  for (const char* call : {"Acquire", "BatchMap", "BatchUnmap"}) {
    const auto calls = p2pd_.calls().Of(call);
    ASSERT_EQ(calls.size(), 2u) << call;
    EXPECT_EQ(calls[0].request_id, calls[1].request_id);
    EXPECT_TRUE(calls[1].repeated);
  }
}

TEST_F(BatchTest, BatchUnmapAsksOnceForAll) {
  auto mappings = session_->BatchMap(Pages(3));
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  EXPECT_TRUE((*mappings)[1].Release().ok());
  EXPECT_TRUE(session_->BatchUnmap(*std::move(mappings)).ok());
  EXPECT_TRUE(session_->ListMappings()->empty());
  EXPECT_EQ(p2pd_.calls().Of("BatchUnmap").size(), 1u);
  EXPECT_EQ(p2pd_.calls().Of("Unmap").size(), 1u);
  EXPECT_TRUE(session_->BatchUnmap({}).ok());
  EXPECT_EQ(p2pd_.calls().Of("BatchUnmap").size(), 1u);
}

TEST_F(BatchTest, BatchUnmapOfWhatIsGoneAlreadyUnmapsTheRest) {
  auto mappings = session_->BatchMap(Pages(3));
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  p2pd_.broker().WithState([&](FakeState& state) { state.mappings.erase((*mappings)[0].name()); });
  EXPECT_TRUE(session_->BatchUnmap(*std::move(mappings)).ok());
  EXPECT_TRUE(session_->ListMappings()->empty());
}

TEST_F(BatchTest, AMappingThatTheKernelKeepsIsReportedAndTheOthersGo) {
  auto mappings = session_->BatchMap(Pages(3));
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  const std::string kept = (*mappings)[1].name();
  p2pd_.broker().WithState([&](FakeState& state) { state.stuck_mappings.insert(kept); });
  const absl::Status status = session_->BatchUnmap(*std::move(mappings));
  EXPECT_EQ(GetErrorDetail(status).object(), kept);
  const auto left = session_->ListMappings();
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ(left->at(0).name(), kept);
}

}  // namespace
}  // namespace p2p::testing
