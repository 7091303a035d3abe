#include "daemon/device/config_facts.h"

#include <linux/pci_regs.h>

#include <optional>

#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

constexpr uint16_t kRedirect = PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC;
constexpr int kMostCapabilities = 48;  // (256 - 64) / 4: more would be a loop
constexpr int kMostExtendedCapabilities = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8;

// Reads beyond the end give nothing.
class Bytes {
 public:
  explicit Bytes(absl::string_view bytes) : bytes_(bytes) {}

  size_t size() const { return bytes_.size(); }
  std::optional<uint16_t> Word(size_t offset) const {
    if (offset + 2 > bytes_.size()) return std::nullopt;
    return static_cast<uint16_t>(Byte(offset) | Byte(offset + 1) << 8);
  }
  std::optional<uint32_t> Long(size_t offset) const {
    const auto low = Word(offset);
    const auto high = Word(offset + 2);
    if (!low.has_value() || !high.has_value()) return std::nullopt;
    return *low | static_cast<uint32_t>(*high) << 16;
  }

 private:
  unsigned Byte(size_t offset) const { return static_cast<uint8_t>(bytes_[offset]); }
  const absl::string_view bytes_;
};

// Where a capability is; 0: there is none; nothing: the list goes on beyond what was read.
std::optional<size_t> FindCapability(const Bytes& bytes, uint8_t id) {
  size_t at = *bytes.Word(PCI_CAPABILITY_LIST) & 0xfc;
  for (int i = 0; at != 0 && i < kMostCapabilities; ++i) {
    const auto header = bytes.Word(at);
    if (!header.has_value()) return std::nullopt;
    if ((*header & 0xff) == id) return at;
    at = *header >> 8 & 0xfc;
  }
  return 0;
}

std::optional<size_t> FindExtendedCapability(const Bytes& bytes, uint16_t id) {
  size_t at = PCI_CFG_SPACE_SIZE;
  for (int i = 0; at >= PCI_CFG_SPACE_SIZE && i < kMostExtendedCapabilities; ++i) {
    const auto header = bytes.Long(at);
    if (!header.has_value() || *header == UINT32_MAX) return std::nullopt;
    if (*header == 0) return 0;
    if (PCI_EXT_CAP_ID(*header) == id) return at;
    at = PCI_EXT_CAP_NEXT(*header);
  }
  return 0;
}

PortType PortTypeOf(uint16_t flags) {
  switch ((flags & PCI_EXP_FLAGS_TYPE) >> 4) {
    case PCI_EXP_TYPE_ROOT_PORT:
      return PortType::kRootPort;
    case PCI_EXP_TYPE_UPSTREAM:
      return PortType::kUpstreamPort;
    case PCI_EXP_TYPE_DOWNSTREAM:
      return PortType::kDownstreamPort;
    case PCI_EXP_TYPE_PCI_BRIDGE:
    case PCI_EXP_TYPE_PCIE_BRIDGE:
      return PortType::kBridge;
    default:
      return PortType::kEndpoint;
  }
}

ConfigFacts Conventional() {
  return {.port = PortType::kConventional, .acs = Presence::kAbsent, .ats = Presence::kAbsent};
}

std::string CutShort(const Bytes& bytes) {
  return absl::StrCat("configuration space could only be read to byte ", bytes.size());
}

// The ids, the class and the kind of header, which no register write changes.
bool IsSameFunction(const Bytes& one, const Bytes& other) {
  for (const size_t at : {PCI_VENDOR_ID, PCI_DEVICE_ID, PCI_CLASS_REVISION, PCI_CLASS_DEVICE}) {
    if (one.Word(at) != other.Word(at)) return false;
  }
  return *one.Word(PCI_HEADER_TYPE) % 256 == *other.Word(PCI_HEADER_TYPE) % 256;
}

// What is wrong with it; "" if nothing is.
std::string WhyNotBelieved(const Bytes& own, const absl::StatusOr<std::string>& whole) {
  if (!whole.ok()) return std::string(whole.status().message());
  if (whole->size() != PCI_CFG_SPACE_SIZE && whole->size() != PCI_CFG_SPACE_EXP_SIZE) {
    return absl::StrCat("who was asked for the rest read ", whole->size(), " bytes, not ", PCI_CFG_SPACE_SIZE, " or ",
                        PCI_CFG_SPACE_EXP_SIZE);
  }
  if (!IsSameFunction(own, Bytes(*whole))) return "who was asked for the rest read another function's, or it changed";
  return "";
}

// A register of an extended capability.
Presence ReadExtended(const Bytes& bytes, uint16_t id, size_t offset, uint16_t& value) {
  const auto at = FindExtendedCapability(bytes, id);
  if (!at.has_value()) return Presence::kUnknown;
  if (*at == 0) return Presence::kAbsent;
  const auto word = bytes.Word(*at + offset);
  if (!word.has_value()) return Presence::kUnknown;
  value = *word;
  return Presence::kPresent;
}

}  // namespace

bool ConfigFacts::redirects() const { return acs == Presence::kPresent && (acs_control & kRedirect) != 0; }

std::vector<std::string> AcsRedirectBits(uint16_t control) {
  std::vector<std::string> bits;
  if ((control & PCI_ACS_RR) != 0) bits.push_back("RR");
  if ((control & PCI_ACS_CR) != 0) bits.push_back("CR");
  if ((control & PCI_ACS_EC) != 0) bits.push_back("EC");
  return bits;
}

ConfigFacts ParseConfig(absl::string_view text) {
  const Bytes bytes(text);
  if (bytes.size() < PCI_STD_HEADER_SIZEOF) {
    return {.problem = bytes.size() == 0 ? "configuration space could not be read" : CutShort(bytes)};
  }
  // A virtual function's ids read as all ones, its COMMAND and STATUS do not.
  if (bytes.Long(PCI_VENDOR_ID) == UINT32_MAX && bytes.Long(PCI_COMMAND) == UINT32_MAX) {
    return {.problem = "configuration space reads as all ones: the function is powered down, or gone"};
  }
  if ((*bytes.Word(PCI_STATUS) & PCI_STATUS_CAP_LIST) == 0) return Conventional();
  const auto express = FindCapability(bytes, PCI_CAP_ID_EXP);
  if (express == 0) return Conventional();
  if (!express.has_value() || !bytes.Word(*express + PCI_EXP_DEVCTL).has_value()) {
    return {.cut_short = true, .problem = CutShort(bytes)};
  }
  const uint16_t control = *bytes.Word(*express + PCI_EXP_DEVCTL);
  ConfigFacts facts = {.port = PortTypeOf(*bytes.Word(*express + PCI_EXP_FLAGS)),
                       .max_payload = 128u << ((control & PCI_EXP_DEVCTL_PAYLOAD) >> 5)};
  facts.acs = ReadExtended(bytes, PCI_EXT_CAP_ID_ACS, PCI_ACS_CTRL, facts.acs_control);
  uint16_t ats_control = 0;
  facts.ats = ReadExtended(bytes, PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL, ats_control);
  facts.ats_enabled = (ats_control & PCI_ATS_CTRL_ENABLE) != 0;
  facts.cut_short = facts.acs == Presence::kUnknown || facts.ats == Presence::kUnknown;
  if (facts.cut_short) facts.problem = CutShort(bytes);
  return facts;
}

ConfigFacts ParseConfig(absl::string_view own, const absl::StatusOr<std::string>& whole) {
  const std::string reason = WhyNotBelieved(Bytes(own), whole);
  if (reason.empty()) return ParseConfig(*whole);
  ConfigFacts facts = ParseConfig(own);
  absl::StrAppend(&facts.problem, "; ", reason);
  return facts;
}

}  // namespace p2pd
