#include "deploy/demo/nvme.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "deploy/demo/poll.h"

namespace demo {
namespace {

using namespace nvme;  // NOLINT(google-build-using-namespace): the specification's names, and no others

// Where the controller itself would see its buffer (CBA): far from all that p2pd maps for it.
constexpr uint64_t kBufferAddress = uint64_t{1} << 46;
constexpr uint32_t kGone = 0xffffffff;  // what a device that does not answer reads as

absl::Status Failure(const CompletionEntry& completion) {
  if (StatusOf(completion) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the controller's status is 0x", absl::Hex(StatusOf(completion))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<NvmeController>> NvmeController::Open(p2p::Session& session, const std::string& device) {
  P2PD_ASSIGN_OR_RETURN(p2p::Device opened, session.OpenDevice(device));
  P2PD_ASSIGN_OR_RETURN(p2p::AddressSpace space, session.CreateAddressSpace({device}));
  P2PD_ASSIGN_OR_RETURN(DmaMemory queues, DmaMemory::Create(session, space, "nvme admin queues", 2 * kPageSize));
  P2PD_ASSIGN_OR_RETURN(DmaMemory answer, DmaMemory::Create(session, space, "nvme identify", kPageSize));
  P2PD_ASSIGN_OR_RETURN(Bar registers, Bar::Map(opened, 0));
  std::unique_ptr<NvmeController> controller(new NvmeController(std::move(opened), std::move(space), std::move(queues),
                                                                std::move(answer), std::move(registers)));
  P2PD_RETURN_IF_ERROR(controller->Start());
  return controller;
}

NvmeController::NvmeController(p2p::Device device, p2p::AddressSpace space, DmaMemory queues, DmaMemory answer,
                               Bar registers)
    : device_(std::move(device)),
      space_(std::move(space)),
      queues_(std::move(queues)),
      answer_(std::move(answer)),
      registers_(std::move(registers)) {}

NvmeController::~NvmeController() { Stop().IgnoreError(); }

absl::Status NvmeController::Start() {
  P2PD_RETURN_IF_ERROR(EnableDma(device_));
  P2PD_RETURN_IF_ERROR(Stop());
  admin_.emplace(0, registers_, queues_);
  registers_.Write32(kAqa, (QueuePair::kEntries - 1) << 16 | (QueuePair::kEntries - 1));
  registers_.Write64(kAsq, admin_->submission_iova());
  registers_.Write64(kAcq, admin_->completion_iova());
  registers_.Write32(kCc, kCcEntrySizes | kCcEnable);
  return AwaitReady(true);
}

absl::Status NvmeController::Stop() {
  registers_.Write32(kCc, 0);
  return AwaitReady(false);
}

absl::Status NvmeController::AwaitReady(bool ready) {
  uint32_t status = 0;
  P2PD_RETURN_IF_ERROR(PollUntil(absl::StrCat(device_.name(), " CSTS.RDY = ", ready ? 1 : 0), [&] {
    status = registers_.Read32(kCsts);
    return status == kGone || (ready && (status & kCstsFatal) != 0) || ((status & kCstsReady) != 0) == ready;
  }));
  if (status == kGone) return absl::UnavailableError(absl::StrCat(device_.name(), " does not answer"));
  if (ready && (status & kCstsFatal) != 0) {
    return absl::InternalError(absl::StrCat(device_.name(), ": the controller's fatal status is set"));
  }
  return absl::OkStatus();
}

absl::StatusOr<NvmeController::Buffer> NvmeController::EnableBuffer() {
  if ((registers_.Read64(kCap) & kCapHasBuffer) == 0) {
    return absl::FailedPreconditionError(absl::StrCat(device_.name(), " has no controller memory buffer"));
  }
  registers_.Write64(kCmbmsc, kBufferAddress | kCmbmscSpace | kCmbmscCapabilities);
  uint32_t size = 0;
  P2PD_RETURN_IF_ERROR(PollUntil(absl::StrCat(device_.name(), " CMBSZ"), [&] {
    size = registers_.Read32(kCmbsz);
    return size != 0;
  }));
  const uint64_t unit = kPageSize << (4 * (size >> 8 & 0xf));
  const uint32_t location = registers_.Read32(kCmbloc);
  return Buffer{.bar = location & 7, .offset = (location >> 12) * unit, .size = (size >> 12) * unit};
}

absl::Status NvmeController::Admin(SubmissionEntry command) {
  command.id = ++last_id_;
  if (!admin_->Push(command)) return absl::ResourceExhaustedError("the admin queue is full");
  admin_->Ring();
  std::optional<CompletionEntry> completion;
  P2PD_RETURN_IF_ERROR(PollUntil("an admin command", [&] {
    completion = admin_->Poll();
    return completion.has_value() && completion->id == command.id;
  }));
  return Failure(*completion);
}

SubmissionEntry NvmeController::IdentifyCommand(uint32_t what, uint32_t nsid) {
  answer_.Clear();
  return {.opcode = kIdentify, .id = 0, .nsid = nsid, .prp1 = answer_.iova(), .dw10 = what};
}

absl::StatusOr<NvmeController::Identity> NvmeController::Identify() {
  P2PD_RETURN_IF_ERROR(QueueIdentify().status());
  admin_->Ring();
  absl::StatusOr<std::optional<Identity>> identity;
  P2PD_RETURN_IF_ERROR(PollUntil("Identify", [&] {
    identity = PollIdentify();
    return !identity.ok() || identity->has_value();
  }));
  if (!identity.ok()) return identity.status();
  return **identity;
}

absl::StatusOr<uint32_t> NvmeController::QueueIdentify() {
  SubmissionEntry command = IdentifyCommand(kIdentifyController, 0);
  command.id = ++last_id_;
  if (!admin_->Push(command)) return absl::ResourceExhaustedError("the admin queue is full");
  return admin_->tail();
}

absl::StatusOr<std::optional<NvmeController::Identity>> NvmeController::PollIdentify() {
  const std::optional<CompletionEntry> completion = admin_->Poll();
  if (!completion.has_value()) return std::nullopt;
  P2PD_RETURN_IF_ERROR(Failure(*completion));
  const absl::Span<const char> data = answer_.bytes(0, kPageSize);
  Identity identity = {.serial = std::string(data.data() + 4, 20)};
  identity.serial.erase(identity.serial.find_last_not_of(' ') + 1);
  const uint8_t exponent = static_cast<uint8_t>(data[77]);  // MDTS
  if (exponent != 0) identity.max_transfer = kPageSize << exponent;
  return identity;
}

absl::StatusOr<uint64_t> NvmeController::NamespaceSize() {
  P2PD_RETURN_IF_ERROR(Admin(IdentifyCommand(kIdentifyNamespace, 1)));
  const uint64_t blocks = answer_.At<uint64_t>(0, 1)[0];  // NSZE
  const uint32_t format = static_cast<uint8_t>(answer_.bytes(26, 1)[0]) & 0xf;
  const uint32_t block_size_exponent = answer_.At<uint32_t>(128, 16)[format] >> 16 & 0xff;
  if (block_size_exponent != 9) return absl::UnimplementedError("blocks that are not of 512 bytes");
  return blocks << block_size_exponent;
}

}  // namespace demo
