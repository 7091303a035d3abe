// A client of the chaos: session after session, each with some random steps, until it is asked to end.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/chaos/player.h"
#include "tests/chaos/random.h"
#include "tests/chaos/tally.h"
#include "tests/chaos/wanderer.h"

namespace p2pd::chaos {
namespace {

constexpr uint64_t kFewestSteps = 15;
constexpr uint64_t kMoreSteps = 45;
constexpr uint64_t kStepsOfReport = 8;
constexpr absl::Duration kBeforeNextTry = absl::Milliseconds(100);

struct ClientOptions : PlayerOptions {
  World world;
  Manner manner = Manner::kAtOnce;
};

// "0000:01:00.0/2/0/1048576": device, BAR, offset, length.
std::string ParsePlace(const std::string& text, std::vector<Place>& places) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Place place;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[1], &place.bar) || !absl::SimpleAtoi(parts[2], &place.offset) ||
      !absl::SimpleAtoi(parts[3], &place.length)) {
    return absl::StrCat(text, " is not DEVICE/BAR/OFFSET/LENGTH");
  }
  place.device = absl::StrCat("devices/", parts[0]);
  places.push_back(std::move(place));
  return "";
}

void LiveOnce(const ClientOptions& options, Random& random, Tally& tally) {
  News news;
  auto session = Connect(options, "chaos client", news);
  if (!tally.Count("connect", session.status())) return absl::SleepFor(kBeforeNextTry);
  Wanderer wanderer(*std::move(session), news, options.world, options.manner, random, tally);
  const uint64_t steps = kFewestSteps + random.Below(kMoreSteps);
  bool alive = true;
  for (uint64_t step = 0; step < steps && alive && !AskedToEnd(); ++step) {
    alive = wanderer.Step();
    if (step % kStepsOfReport == 0) tally.Say();
  }
  if (AskedToEnd() || (alive && random.Chance(50))) {
    wanderer.GiveBack();
    tally.Count("gave everything back");
  } else {
    tally.Count("hung up");
  }
}

int Run(const ClientOptions& options) {
  EndOnSigbus();
  Random random(options.seed);
  Tally tally;
  while (!AskedToEnd()) {
    LiveOnce(options, random, tally);
    tally.Say();
  }
  return 0;
}

}  // namespace
}  // namespace p2pd::chaos

int main(int argc, char** argv) {
  using p2pd::chaos::Manner;
  CLI::App app("Takes from p2pd at random, and gives back; what it may reach by DMA, it checks byte by byte.");
  p2pd::chaos::ClientOptions options;
  p2pd::chaos::Describe(app, options);
  app.add_option("--manner", options.manner, "how it answers requests to stop")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Manner>{{"at-once", Manner::kAtOnce},
                                                                        {"late", Manner::kLate},
                                                                        {"never", Manner::kNever},
                                                                        {"goes-on", Manner::kGoesOn}}));
  app.add_option("--engine", options.world.engine, "the edu that it may drive");
  app.add_option("--drive", options.world.devices, "a device that it may drive (repeatable)");
  std::vector<std::string> places;
  app.add_option("--place", places, "DEVICE/BAR/OFFSET/LENGTH of which it asks for windows (repeatable)")->required();
  CLI11_PARSE(app, argc, argv);
  for (const std::string& place : places) {
    const std::string wrong = p2pd::chaos::ParsePlace(place, options.world.places);
    if (!wrong.empty()) return app.exit(CLI::ValidationError("--place", wrong));
  }
  return p2pd::chaos::Run(options);
}
