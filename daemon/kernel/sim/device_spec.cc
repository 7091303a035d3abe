#include "daemon/kernel/sim/device_spec.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace p2pd::sim {
namespace {

constexpr uint64_t kMaxBarSize = uint64_t{1} << 39;  // a region of a VFIO device fd is 2^40 bytes
constexpr uint64_t kMaxDiskSize = uint64_t{1} << 40;
constexpr uint64_t kMinModelBar = 0x4000;

using p2pd::v1::SimulatedDevice;

absl::Status Invalid(const std::string& object, absl::string_view what) {
  const ErrorInfo info = {
      .reason = Reason::kInvalidArgument,
      .step = "simulation",
      .object = object,
      .hint = "simulation.proto describes machine files",
  };
  return MakeError(absl::StatusCode::kInvalidArgument, info, what);
}

absl::Status Unsound(const SimulatedDevice& device, absl::string_view what) { return Invalid(device.bdf(), what); }

absl::Status ParseBars(const SimulatedDevice& device, DeviceSpec& spec) {
  for (const auto& bar : device.bar()) {
    if (bar.index() >= kNumBars) return Unsound(device, "a BAR's index is 0 to 5");
    if (!std::has_single_bit(bar.size()) || bar.size() < 16 || bar.size() > kMaxBarSize) {
      return Unsound(device, "a BAR's size is a power of two from 16 bytes to 512 GiB");
    }
    BarSpec& parsed = spec.bars[bar.index()];
    if (parsed.size != 0) return Unsound(device, "two BARs have the same index");
    parsed = {.size = bar.size(), .prefetchable = bar.prefetchable(), .io = bar.io()};
  }
  for (int i = 0; i < kNumBars; ++i) {
    BarSpec& bar = spec.bars[i];
    const bool room = i + 1 < kNumBars && spec.bars[i + 1].size == 0;
    bar.wide = bar.size != 0 && !bar.io && room && (bar.prefetchable || bar.size > (uint64_t{1} << 30));
    if (bar.size > (uint64_t{1} << 30) && !bar.wide) {
      return Unsound(device, "a BAR of more than 1 GiB takes two registers: leave the next index free");
    }
    if (bar.wide) ++i;
  }
  return absl::OkStatus();
}

absl::Status ParseMsix(const SimulatedDevice& device, DeviceSpec& spec) {
  if (device.msix_vectors() == 0) return absl::OkStatus();
  const MsixSpec msix = {
      .vectors = device.msix_vectors(),
      .bar = device.msix_bar(),
      .table_offset = device.msix_table_offset(),
      .pba_offset = device.msix_pba_offset(),
  };
  if (msix.vectors > 2048) return Unsound(device, "msix_vectors is at most 2048");
  if (msix.bar >= kNumBars || spec.bars[msix.bar].io) return Unsound(device, "msix_bar is no memory BAR");
  const uint64_t size = spec.bars[msix.bar].size;
  const auto fits = [size](uint64_t offset, uint64_t length) {
    return offset % 8 == 0 && offset <= size && length <= size - offset;
  };
  if (!fits(msix.table_offset, msix.vectors * 16ull) || !fits(msix.pba_offset, (msix.vectors + 63) / 64 * 8ull)) {
    return Unsound(device, "the MSI-X table or PBA is not 8-byte aligned or not inside msix_bar");
  }
  spec.msix = msix;
  return absl::OkStatus();
}

absl::Status ParseModel(const SimulatedDevice& device, DeviceSpec& spec) {
  spec.model = device.model_case();
  const BarSpec& registers = spec.bars[0];
  if (spec.model != SimulatedDevice::MODEL_NOT_SET && (registers.io || registers.size < kMinModelBar)) {
    return Unsound(device, "a model's registers need a memory BAR 0 of at least 16 KiB");
  }
  if (spec.model != SimulatedDevice::kNvme) return absl::OkStatus();
  spec.nvme = device.nvme();
  const BarSpec& buffer = spec.bars[2];
  if (buffer.size != 0 && (buffer.io || buffer.size < (1 << 20))) {
    return Unsound(device, "an NVMe's BAR 2 is its memory buffer: at least 1 MiB of memory");
  }
  if (spec.nvme.disk_size() > kMaxDiskSize) return Unsound(device, "disk_size is at most 1 TiB");
  return absl::OkStatus();
}

// What VFIO leaves to whoever binds the physical function holds for one that is known by then.
absl::Status ParsePhysical(const SimulatedDevice& device, const std::vector<DeviceSpec>& before, DeviceSpec& spec) {
  if (device.physical_function().empty()) return absl::OkStatus();
  const auto physical = std::find_if(before.begin(), before.end(), [&](const DeviceSpec& other) {
    return other.address.ToString() == device.physical_function();
  });
  if (physical == before.end() || physical->physical_function.has_value() || !spec.express()) {
    return Unsound(device, "physical_function is no physical function that stands before it, behind a port");
  }
  spec.physical_function = physical->address;
  return absl::OkStatus();
}

absl::StatusOr<DeviceSpec> ParseDevice(const SimulatedDevice& device) {
  const absl::StatusOr<PciAddress> address = PciAddress::Parse(device.bdf());
  if (!address.ok()) return Unsound(device, "bdf is not of the form 0000:01:00.0");
  if (address->bus == 0 && address->device == 0) return Unsound(device, "00.x is the host bridge");
  if (device.vendor_id() > 0xffff || device.device_id() > 0xffff || device.class_code() > 0xffffff) {
    return Unsound(device, "vendor_id and device_id have 16 bits, class_code 24");
  }
  if (device.dma_address_bits() > 64) return Unsound(device, "dma_address_bits is at most 64");
  DeviceSpec spec;
  spec.address = *address;
  spec.vendor = static_cast<uint16_t>(device.vendor_id());
  spec.device = static_cast<uint16_t>(device.device_id());
  spec.class_code = device.class_code();
  spec.iommu_group = device.iommu_group();
  spec.numa_node = device.numa_node();
  spec.resettable = !device.no_reset();
  spec.reset_time = absl::Milliseconds(device.reset_milliseconds());
  spec.dma_address_bits = device.dma_address_bits() == 0 ? 64 : static_cast<int>(device.dma_address_bits());
  P2PD_RETURN_IF_ERROR(ParseBars(device, spec));
  P2PD_RETURN_IF_ERROR(ParseMsix(device, spec));
  P2PD_RETURN_IF_ERROR(ParseModel(device, spec));
  return spec;
}

// Packs the BARs as firmware would: narrow ones below 4 GiB, wide ones high up, each aligned to its size.
void PlaceBars(std::vector<DeviceSpec>& specs) {
  uint64_t io = 0xc000;
  uint64_t low = 0xc0000000;
  uint64_t high = uint64_t{0x38} << 40;
  for (DeviceSpec& spec : specs) {
    for (BarSpec& bar : spec.bars) {
      if (bar.size == 0) continue;
      uint64_t& next = bar.io ? io : bar.wide ? high : low;
      const uint64_t unit = std::max<uint64_t>(bar.size, bar.io ? 16 : 4096);
      bar.address = (next + unit - 1) / unit * unit;
      next = bar.address + unit;
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<DeviceSpec>> ParseSimulation(const p2pd::v1::Simulation& simulation) {
  std::vector<DeviceSpec> specs;
  std::set<PciAddress> seen;
  for (const SimulatedDevice& device : simulation.device()) {
    P2PD_ASSIGN_OR_RETURN(DeviceSpec spec, ParseDevice(device));
    if (!seen.insert(spec.address).second) return Unsound(device, "two devices have the same bdf");
    P2PD_RETURN_IF_ERROR(ParsePhysical(device, specs, spec));
    spec.cdev = absl::StrCat("vfio", specs.size());
    specs.push_back(std::move(spec));
  }
  PlaceBars(specs);
  return specs;
}

namespace {

// Keeps the first error of a text file, with its place.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text.empty()) text = absl::StrFormat("line %d, column %d: %s", line + 1, column + 1, message);
  }
  std::string text;
};

}  // namespace

absl::StatusOr<p2pd::v1::Simulation> ReadSimulationFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return ErrnoError("open", path, errno, "the machine file cannot be read");
  file.peek();  // a folder can be opened
  if (file.bad()) return ErrnoError("read", path, errno, "the machine file cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  p2pd::v1::Simulation simulation;
  if (!parser.ParseFromString(text.str(), &simulation)) return Invalid(path, error.text);
  return simulation;
}

}  // namespace p2pd::sim
