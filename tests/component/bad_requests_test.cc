// Requests that nobody well-meaning makes. Each gets its own clear error, and whatever the others hold stays
// as it is: a victim's mapping is looked at, and another one made, after each test.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

constexpr char kExporter[] = "devices/0000:00:11.0";  // 64 MiB of memory in BAR 2
constexpr char kNvme[] = "devices/0000:01:00.0";      // MSI-X at 0x2000 of BAR 0
constexpr char kImporter[] = "devices/0000:00:10.0";
constexpr uint64_t kPage = 4096;
constexpr uint64_t kBar = 64 << 20;
using Detail = v1::ErrorDetail;

// A session that answers for itself.
class Party {
 public:
  explicit Party(TestDaemon& daemon) : channel_(daemon.fd_path()), stub_(daemon.NewStub()) { channel_.Hello(); }

  template <typename Response, typename Request>
  using Method = grpc::Status (v1::Broker::Stub::*)(grpc::ClientContext*, const Request&, Response*);

  template <typename Response, typename Request>
  grpc::Status Try(Method<Response, Request> method, const Request& request, Response* response) {
    return ((*stub_).*method)(CallAs(channel_.welcome().token()).get(), request, response);
  }
  // A change, with a request_id of its own.
  template <typename Response, typename Request>
  grpc::Status Change(Method<Response, Request> method, Request request, Response* response) {
    request.set_request_id("r" + std::to_string(++requests_));
    return Try(method, request, response);
  }
  template <typename Response, typename Request>
  Response Do(Method<Response, Request> method, const Request& request) {
    Response response;
    const grpc::Status status = Change(method, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // The reason of a change's refusal.
  template <typename Response, typename Request>
  Detail::Reason Refusal(Method<Response, Request> method, const Request& request) {
    Response response;
    const grpc::Status status = Change(method, request, &response);
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(status.error_message().empty());
    return DetailOf(status).reason();
  }

  RawClient& channel() { return channel_; }
  std::string session() const { return channel_.welcome().session(); }

 private:
  RawClient channel_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  int requests_ = 0;
};

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

v1::CreateExportRequest Window(const std::string& device, uint32_t bar, uint64_t offset, uint64_t length) {
  v1::CreateExportRequest request;
  request.mutable_window()->set_device(device);
  request.mutable_window()->set_bar(bar);
  request.mutable_window()->set_offset(offset);
  request.mutable_window()->set_length(length);
  return request;
}

class BadRequestsTest : public testing::Test {
 protected:
  // Nobody may observe: what is another's is not there.
  BadRequestsTest()
      : daemon_({.policy = "rule { name: 'all' effect: ALLOW action: [EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, "
                           "MAP_MEMORY, RESET] } rule { name: 'drive' effect: ALLOW action: DRIVE limits { scrub: "
                           "NONE } }"}) {
    const auto opened = victim_.Do(&v1::Broker::Stub::OpenDevice, Named<v1::OpenDeviceRequest>(kImporter));
    EXPECT_TRUE(victim_.channel().Read()->has_grant());
    auto ready = Named<v1::DeviceReadyRequest>(kImporter);
    ready.set_generation(opened.generation());
    victim_.Do(&v1::Broker::Stub::DeviceReady, ready);
    window_ = victim_.Do(&v1::Broker::Stub::CreateExport, Window(kExporter, 2, 0, kBar / 2));
    v1::CreateAddressSpaceRequest space;
    space.add_devices(kImporter);
    space_ = victim_.Do(&v1::Broker::Stub::CreateAddressSpace, space);
    mapping_ = victim_.Do(&v1::Broker::Stub::Map, Page(0));
  }
  ~BadRequestsTest() override {
    v1::Mapping now;
    const grpc::Status status =
        victim_.Try(&v1::Broker::Stub::GetMapping, Named<v1::GetMappingRequest>(mapping_.name()), &now);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(now.state(), v1::Mapping::ACTIVE);
    EXPECT_EQ(now.iova(), mapping_.iova());
    victim_.Do(&v1::Broker::Stub::Map, Page(1));
  }

  v1::MapRequest Page(uint64_t number) {
    v1::MapRequest map;
    map.set_export_(window_.name());
    map.set_address_space(space_.name());
    map.set_offset(number * kPage);
    map.set_length(kPage);
    return map;
  }
  Detail::Reason MapAt(uint64_t iova) {
    v1::MapRequest map = Page(2);
    map.set_iova(iova);
    return victim_.Refusal(&v1::Broker::Stub::Map, map);
  }
  // What no mapping may use: the addresses that BARs of the machine decode.
  std::vector<v1::ByteRange> Holes() {
    std::vector<v1::ByteRange> holes;
    for (int i = 1; i < space_.usable_iova_size(); ++i) {
      const uint64_t end = space_.usable_iova(i - 1).offset() + space_.usable_iova(i - 1).length();
      v1::ByteRange& hole = holes.emplace_back();
      hole.set_offset(end);
      hole.set_length(space_.usable_iova(i).offset() - end);
    }
    EXPECT_GE(holes.size(), 2u) << "the interrupts' window and at least one BAR";
    return holes;
  }
  // p2pd's answer to memory that is offered.
  v1::MemoryAccepted Offer(int fd) {
    const std::string name = "m" + std::to_string(++offered_);
    stranger_.channel().Send(OfferMemory(name), {fd});
    const auto answer = stranger_.channel().Read();
    EXPECT_TRUE(answer.has_value() && answer->has_memory_accepted());
    return answer.has_value() ? answer->memory_accepted() : v1::MemoryAccepted();
  }

  TestDaemon daemon_;
  Party victim_{daemon_};
  Party stranger_{daemon_};
  v1::Export window_;
  v1::AddressSpace space_;
  v1::Mapping mapping_;
  int offered_ = 0;
};

TEST_F(BadRequestsTest, AWindowMustLieInItsBarAndOnItsPages) {
  const auto refusal = [&](uint32_t bar, uint64_t offset, uint64_t length) {
    return stranger_.Refusal(&v1::Broker::Stub::CreateExport, Window(kExporter, bar, offset, length));
  };
  EXPECT_EQ(refusal(2, kBar / 2 + 1, kPage), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(2, kBar / 2, kPage - 1), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(2, kBar / 2, 0), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(2, kBar / 2, UINT64_MAX), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(2, UINT64_MAX - kPage + 1, kPage), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(2, kBar, kPage), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(2, kBar - kPage, 2 * kPage), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(1, 0, kPage), Detail::WINDOW_UNUSABLE);
  EXPECT_EQ(refusal(0, 0, kPage), Detail::WINDOW_UNUSABLE);  // smaller than a page
  EXPECT_EQ(refusal(6, 0, kPage), Detail::INVALID_ARGUMENT);
  EXPECT_EQ(refusal(2, 0, kPage), Detail::OVERLAP);
}

TEST_F(BadRequestsTest, NoWindowTouchesTheInterruptTable) {
  for (const uint64_t offset : {uint64_t{0x2000}, uint64_t{0x3000}, uint64_t{0x1000}}) {
    EXPECT_EQ(stranger_.Refusal(&v1::Broker::Stub::CreateExport, Window(kNvme, 0, offset, 2 * kPage)),
              Detail::WINDOW_UNUSABLE)
        << offset;
  }
  stranger_.Do(&v1::Broker::Stub::CreateExport, Window(kNvme, 0, 0x1000, kPage));
}

TEST_F(BadRequestsTest, AMappingGoesOnlyWhereItCan) {
  EXPECT_EQ(MapAt(0xfee00000), Detail::IOVA_UNUSABLE);         // the interrupts' window
  EXPECT_EQ(MapAt(uint64_t{1} << 60), Detail::IOVA_UNUSABLE);  // beyond what the IOMMU addresses
  EXPECT_EQ(MapAt(mapping_.iova()), Detail::OVERLAP);          // taken
  EXPECT_EQ(MapAt(0x200000001), Detail::INVALID_ARGUMENT);     // unaligned
  EXPECT_EQ(MapAt(UINT64_MAX), Detail::INVALID_ARGUMENT);
  for (const v1::ByteRange& hole : Holes()) EXPECT_EQ(MapAt(hole.offset()), Detail::IOVA_UNUSABLE) << hole.offset();
}

TEST_F(BadRequestsTest, ASliceLiesInItsExport) {
  const auto refusal = [&](uint64_t offset, uint64_t length) {
    v1::MapRequest map = Page(0);
    map.set_offset(offset);
    map.set_length(length);
    return victim_.Refusal(&v1::Broker::Stub::Map, map);
  };
  EXPECT_EQ(refusal(0, UINT64_MAX), Detail::INVALID_ARGUMENT);
  EXPECT_EQ(refusal(kBar / 2, kPage), Detail::INVALID_ARGUMENT);
  EXPECT_EQ(refusal(kBar / 2, 0), Detail::INVALID_ARGUMENT);
  EXPECT_EQ(refusal(UINT64_MAX - kPage + 1, kPage), Detail::INVALID_ARGUMENT);
  EXPECT_EQ(refusal(1, kPage), Detail::INVALID_ARGUMENT);
  EXPECT_EQ(refusal(0, kPage + 1), Detail::INVALID_ARGUMENT);
}

TEST_F(BadRequestsTest, AnothersObjectsAreAsIfTheyWereNotThere) {
  using Stub = v1::Broker::Stub;
  EXPECT_EQ(stranger_.Refusal(&Stub::Map, Page(3)), Detail::NOT_FOUND);
  EXPECT_EQ(stranger_.Refusal(&Stub::Unmap, Named<v1::UnmapRequest>(mapping_.name())), Detail::NOT_FOUND);
  EXPECT_EQ(stranger_.Refusal(&Stub::DeleteExport, Named<v1::DeleteExportRequest>(window_.name())), Detail::NOT_FOUND);
  EXPECT_EQ(stranger_.Refusal(&Stub::DeleteAddressSpace, Named<v1::DeleteAddressSpaceRequest>(space_.name())),
            Detail::NOT_FOUND);
  EXPECT_EQ(stranger_.Refusal(&Stub::CloseDevice, Named<v1::CloseDeviceRequest>(kImporter)), Detail::NOT_OWNER);
  EXPECT_EQ(stranger_.Refusal(&Stub::DeviceReady, Named<v1::DeviceReadyRequest>(kImporter)), Detail::NOT_OWNER);
  EXPECT_EQ(stranger_.Refusal(&Stub::OpenDevice, Named<v1::OpenDeviceRequest>(kImporter)), Detail::DEVICE_BUSY);
  EXPECT_EQ(stranger_.Refusal(&Stub::RevokeSession, Named<v1::RevokeSessionRequest>(victim_.session())),
            Detail::POLICY);
  EXPECT_EQ(stranger_.Refusal(&Stub::RevokeExport, Named<v1::RevokeExportRequest>(window_.name())), Detail::POLICY);
  v1::BatchUnmapRequest batch;
  batch.add_names(mapping_.name());
  EXPECT_EQ(stranger_.Refusal(&Stub::BatchUnmap, batch), Detail::NOT_FOUND);
  v1::Mapping seen;
  const grpc::Status theirs = stranger_.Try(&Stub::GetMapping, Named<v1::GetMappingRequest>(mapping_.name()), &seen);
  const grpc::Status nobodys = stranger_.Try(&Stub::GetMapping, Named<v1::GetMappingRequest>("mappings/99999"), &seen);
  EXPECT_EQ(DetailOf(theirs).reason(), Detail::NOT_FOUND);
  EXPECT_EQ(DetailOf(theirs).hint(), DetailOf(nobodys).hint());
  v1::ListMappingsResponse list;
  EXPECT_TRUE(stranger_.Try(&Stub::ListMappings, v1::ListMappingsRequest(), &list).ok());
  EXPECT_EQ(list.mappings_size(), 0);
}

TEST_F(BadRequestsTest, ARequestIdStandsForOneRequest) {
  v1::CreateExportRequest first = Window(kExporter, 2, kBar / 2, kPage);
  first.set_request_id("once");
  v1::Export made;
  ASSERT_TRUE(stranger_.Try(&v1::Broker::Stub::CreateExport, first, &made).ok());
  v1::CreateExportRequest other = Window(kExporter, 2, kBar / 2 + kPage, kPage);
  other.set_request_id("once");
  EXPECT_EQ(DetailOf(stranger_.Try(&v1::Broker::Stub::CreateExport, other, &made)).reason(), Detail::REQUEST_ID_REUSED);
  for (const std::string& id : {std::string(), std::string(65, 'x')}) {
    other.set_request_id(id);
    EXPECT_EQ(DetailOf(stranger_.Try(&v1::Broker::Stub::CreateExport, other, &made)).reason(),
              Detail::INVALID_ARGUMENT);
  }
}

TEST_F(BadRequestsTest, ANameHasOneSpelling) {
  for (const std::string name : {"", "exports/", "exports/0", "exports/01", "exports/-1", "exports/+1", "exports/1 ",
                                 "Exports/1", "exports/18446744073709551616", "mappings/1", "exports/1/2"}) {
    EXPECT_EQ(stranger_.Refusal(&v1::Broker::Stub::DeleteExport, Named<v1::DeleteExportRequest>(name)),
              Detail::INVALID_ARGUMENT)
        << name;
  }
  v1::Export made;
  const grpc::Status status =
      stranger_.Change(&v1::Broker::Stub::CreateExport, Window(std::string(1 << 20, 'd'), 2, 0, kPage), &made);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << "a message has a size";
}

TEST_F(BadRequestsTest, AnEnumHasTheValuesThatItHas) {
  v1::CreateExportRequest window = Window(kExporter, 2, kBar / 2, kPage);
  window.set_grade(static_cast<v1::Grade>(77));
  EXPECT_EQ(stranger_.Refusal(&v1::Broker::Stub::CreateExport, window), Detail::INVALID_ARGUMENT);
  v1::MapRequest map = Page(4);
  map.set_access(static_cast<v1::Access>(77));
  EXPECT_EQ(victim_.Refusal(&v1::Broker::Stub::Map, map), Detail::INVALID_ARGUMENT);
  map.set_access(v1::READ);
  map.set_alignment(3);
  EXPECT_EQ(victim_.Refusal(&v1::Broker::Stub::Map, map), Detail::INVALID_ARGUMENT);
}

TEST_F(BadRequestsTest, OnlySealedMemoryIsTaken) {
  const auto reason = [&](const UniqueFd& fd) { return static_cast<Detail::Reason>(Offer(fd.get()).reason()); };
  int ends[2] = {};
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_EQ(reason(reader), Detail::MEMORY_UNSUITABLE);
  EXPECT_EQ(reason(UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC))), Detail::MEMORY_UNSUITABLE);
  EXPECT_EQ(reason(UniqueFd(open("/", O_PATH | O_CLOEXEC))), Detail::MEMORY_UNSUITABLE);
  EXPECT_EQ(reason(UniqueFd(open("/", O_RDONLY | O_CLOEXEC))), Detail::MEMORY_UNSUITABLE);
  const UniqueFd unsealed(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(unsealed.get(), kPage), 0);
  EXPECT_EQ(reason(unsealed), Detail::MEMORY_UNSUITABLE);
  // Huge pages that were never allocated. A kernel without them has none to offer.
  const UniqueFd huge(memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (huge.valid()) {
    ASSERT_EQ(ftruncate(huge.get(), 2 << 20), 0);
    ASSERT_EQ(fcntl(huge.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
    EXPECT_EQ(reason(huge), Detail::MEMORY_UNSUITABLE);
  }
  EXPECT_EQ(Offer(SealedMemory(kPage).get()).error(), "");
}

TEST_F(BadRequestsTest, AWindowsDmaBufIsNoMemory) {
  v1::CreateExportRequest window = Window(kExporter, 2, kBar / 2, kPage);
  window.set_grade(v1::RAW);
  stranger_.Do(&v1::Broker::Stub::CreateExport, window);
  ASSERT_TRUE(stranger_.channel().Read()->has_grant());
  const UniqueFd dma_buf = std::move(stranger_.channel().fds().front());
  EXPECT_NE(Offer(dma_buf.get()).error(), "");
}

TEST_F(BadRequestsTest, MemoryThatTheClientMayNotWriteIsNotMappedForWriting) {
  const UniqueFd memory = SealedMemory(kPage);
  const UniqueFd read_only(open(("/proc/self/fd/" + std::to_string(memory.get())).c_str(), O_RDONLY | O_CLOEXEC));
  victim_.channel().Send(OfferMemory("ro"), {read_only.get()});
  const auto answer = victim_.channel().Read();
  ASSERT_TRUE(answer.has_value() && answer->memory_accepted().error().empty());
  v1::MapMemoryRequest map;
  map.set_memory("ro");
  map.set_address_space(space_.name());
  EXPECT_EQ(victim_.Refusal(&v1::Broker::Stub::MapMemory, map), Detail::MEMORY_UNSUITABLE);
  map.set_access(v1::READ);
  EXPECT_EQ(victim_.Do(&v1::Broker::Stub::MapMemory, map).state(), v1::Mapping::ACTIVE);
}

TEST_F(BadRequestsTest, WithdrawnMemoryIsNotThereToBeMapped) {
  const UniqueFd memory = SealedMemory(kPage);
  victim_.channel().Send(OfferMemory("gone"), {memory.get()});
  ASSERT_TRUE(victim_.channel().Read()->memory_accepted().error().empty());
  v1::ClientFrame withdraw;
  withdraw.mutable_withdraw_memory()->set_name("gone");
  victim_.channel().Send(withdraw);
  victim_.channel().Send(OfferMemory("after"), {memory.get()});  // frames are taken in order
  ASSERT_TRUE(victim_.channel().Read()->memory_accepted().error().empty());
  v1::MapMemoryRequest map;
  map.set_memory("gone");
  map.set_address_space(space_.name());
  EXPECT_EQ(victim_.Refusal(&v1::Broker::Stub::MapMemory, map), Detail::NOT_FOUND);
}

TEST_F(BadRequestsTest, AListComesInPagesThatEnd) {
  for (uint64_t i = 0; i < 5; ++i) victim_.Do(&v1::Broker::Stub::Map, Page(10 + i));
  v1::ListMappingsRequest request;
  request.set_page_size(4);
  size_t seen = 0;
  int pages = 0;
  do {
    v1::ListMappingsResponse page;
    ASSERT_TRUE(victim_.Try(&v1::Broker::Stub::ListMappings, request, &page).ok());
    seen += static_cast<size_t>(page.mappings_size());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && ++pages < 10);
  EXPECT_EQ(seen, 6u);
  EXPECT_EQ(pages, 1);
  v1::ListMappingsResponse page;
  request.set_page_token("first");
  EXPECT_EQ(DetailOf(victim_.Try(&v1::Broker::Stub::ListMappings, request, &page)).reason(), Detail::INVALID_ARGUMENT);
  request.set_page_size(5001);
  EXPECT_EQ(DetailOf(victim_.Try(&v1::Broker::Stub::ListMappings, request, &page)).reason(), Detail::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace p2pd
