// One session of a chaos client, from its first step to its end: it takes devices, windows, address spaces and
// mappings at random, and gives them back. Where it drives the DMA engine and holds a window, it moves bytes through
// it and checks each. What a client is asked to do, it does in its manner.
#ifndef P2PD_TESTS_CHAOS_WANDERER_H_
#define P2PD_TESTS_CHAOS_WANDERER_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/session.h"
#include "deploy/demo/dma_memory.h"
#include "deploy/demo/edu.h"
#include "tests/chaos/news.h"
#include "tests/chaos/random.h"
#include "tests/chaos/tally.h"

namespace p2pd::chaos {

// How it answers when it is asked to stop its DMA, or to let go of a device.
enum class Manner {
  kAtOnce,
  kLate,   // some time within four seconds
  kNever,  // while it lives; its DMA stops
  kGoesOn  // its DMA goes on, also through addresses that it has given back, whether it said that it stopped or not
};

// A BAR of which it asks for windows, in its first bytes.
struct Place {
  std::string device;
  uint32_t bar = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct World {
  std::string engine;                // the device that is an edu; "" if it is not to drive it
  std::vector<std::string> devices;  // others that it may drive
  std::vector<Place> places;
};

class Wanderer {
 public:
  Wanderer(std::unique_ptr<p2p::Session> session, News& news, const World& world, Manner manner, Random& random,
           Tally& tally)
      : session_(std::move(session)), news_(news), world_(world), manner_(manner), random_(random), tally_(tally) {}
  // Hangs up, with all that it still holds.
  ~Wanderer();

  // Does one thing, and hears for a moment what p2pd says. False once the session is over.
  bool Step();
  // Gives everything back, thing by thing.
  void GiveBack();

 private:
  using Action = void (Wanderer::*)();
  struct Held {
    p2p::Mapping mapping;
    std::string exporter;
    bool by_engine = false;  // it is in the engine's address space
  };
  struct Owed {
    std::optional<p2p::QuiesceRequest> request;
    std::string revoked_device;
    absl::Time due;
  };
  // What must not change while a mapping can be relied on.
  struct Right {
    uint64_t exporter_generation = 0;
    uint64_t engine_generation = 0;
    bool operator==(const Right&) const = default;
  };

  // Taking.
  void OpenEngine();
  void OpenDevice();
  void CreateSpace();
  void CreateExport();
  void Acquire();
  void RenewExport();
  void Map();
  void MapMemory();
  void BatchMap();
  p2p::WindowOptions SomeWindow();
  // An address space, and whether it is the engine's. Null if there is none.
  const p2p::AddressSpace* SomeSpace(bool& by_engine);
  p2p::MapOptions SomeSlice(const p2p::Export& source, bool by_engine);

  // Giving back.
  void Unmap();
  void BatchUnmap();
  void DeleteExport();
  void DeleteSpace();
  void CloseDevice();
  void ResetDevice();
  void DropEngine();
  Held TakeOut(size_t index);

  // DMA.
  void MoveBytes();
  void RoundTrip(const Held& held);
  absl::Status Pass(uint64_t iova);
  void WriteBlindly(uint64_t iova);
  // Who goes on writes to what it has just given back.
  void WriteInSpite(const std::vector<uint64_t>& iovas);
  absl::StatusOr<Right> RightTo(const Held& held);
  std::string SecondLook(uint64_t iova);  // where bytes that did not come back may have been lost
  bool KeepsRight(const Held& held, const Right& right);

  // Hearing.
  void HearFor(absl::Duration patience);
  void Hear(p2p::QuiesceRequest& request);
  void Hear(const p2p::v1::Resumed& resumed);
  void Hear(const p2p::v1::DeviceRevoked& revoked);
  void Hear(const p2p::v1::Event&) {}
  void Hear(const absl::Status& why);
  void PayWhatIsDue();
  void LetGoOf(const std::string& device);
  absl::Time Due();

  std::unique_ptr<p2p::Session> session_;
  News& news_;
  const World& world_;
  const Manner manner_;
  Random& random_;
  Tally& tally_;
  bool over_ = false;
  std::vector<Owed> owed_;
  std::map<std::string, std::set<std::string>> stopped_;  // by operation: mappings that are not to be used
  std::map<std::string, p2p::Device> devices_;
  std::vector<p2p::AddressSpace> spaces_;
  std::unique_ptr<demo::Edu> engine_;
  std::optional<demo::DmaMemory> engine_memory_;
  std::vector<p2p::Export> exports_;
  std::vector<Held> mappings_;
  std::vector<uint64_t> old_iovas_;  // of the engine's mappings that are no more
};

}  // namespace p2pd::chaos

#endif  // P2PD_TESTS_CHAOS_WANDERER_H_
