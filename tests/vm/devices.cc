#include "tests/vm/devices.h"

#include <chrono>
#include <filesystem>
#include <thread>

namespace p2pd::vm {
namespace {

constexpr int kCommand = 4;  // configuration space
constexpr uint8_t kMemoryDecodeAndBusMaster = 6;
constexpr uint64_t kEngineBuffer = 0x40000;

}  // namespace

std::string CdevOf(const std::string& bdf) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/bus/pci/devices/" + bdf + "/vfio-dev", none)) {
    return entry.path().filename();
  }
  return "";
}

std::vector<uint8_t> Pattern(uint32_t seed) {
  std::vector<uint8_t> bytes(kPage);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

UniqueFd Device::Bind(Kernel& kernel, FdRef context, const std::string& bdf) {
  absl::StatusOr<UniqueFd> fd = kernel.OpenDevice(CdevOf(bdf));
  EXPECT_TRUE(fd.ok()) << fd.status();
  const absl::Status bound = kernel.BindDevice(*fd, context);
  EXPECT_TRUE(bound.ok()) << bound;
  return *std::move(fd);
}

Device::Device(Kernel& kernel, UniqueFd bound) : kernel_(kernel), fd_(std::move(bound)) {
  Enable();
  for (int bar = 0; bar < kNumBars; ++bar) bars_.push_back(kernel_.GetRegionInfo(fd_, bar).value());
}

void Device::Enable() const {
  uint8_t command[2] = {};
  EXPECT_TRUE(kernel_.ReadConfig(fd_, kCommand, absl::MakeSpan(command)).ok());
  command[0] |= kMemoryDecodeAndBusMaster;
  EXPECT_TRUE(kernel_.WriteConfig(fd_, kCommand, command).ok());
}

std::vector<uint8_t> Device::ReadPage(int bar, uint64_t offset) const {
  std::vector<uint8_t> page(kPage);
  EXPECT_EQ(pread(fd_.get(), page.data(), kPage, bars_[bar].offset + offset), ssize_t{kPage});
  return page;
}

void Device::WritePage(int bar, uint64_t offset, const std::vector<uint8_t>& page) const {
  EXPECT_EQ(pwrite(fd_.get(), page.data(), kPage, bars_[bar].offset + offset), ssize_t{kPage});
}

void DmaEngine::CopyPage(uint64_t from, uint64_t to) const {
  for (const uint64_t half : {uint64_t{0}, kPage / 2}) {
    Run(from + half, kEngineBuffer, 1);
    Run(kEngineBuffer, to + half, 1 | 2);
  }
}

void DmaEngine::Run(uint64_t source, uint64_t destination, uint64_t command) const {
  Write<uint64_t>(0, 0x80, source);
  Write<uint64_t>(0, 0x88, destination);
  Write<uint64_t>(0, 0x90, kPage / 2);
  Write<uint64_t>(0, 0x98, command);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((Read<uint64_t>(0, 0x98) & 1) != 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "edu's DMA never ended";
    std::this_thread::yield();
  }
}

}  // namespace p2pd::vm
