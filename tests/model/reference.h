// What p2pd's guarantees say, as a small program of its own: who may reach what, and which requests must be
// granted or refused. It knows nothing of how p2pd does it, and includes nothing of it.
//
// Devices are numbers: exporters have windows of `kSlots` slots each, engines reach them. A request is told to
// the reference with its outcome; before that, Expect...() says what the outcome must be.
#ifndef P2PD_TESTS_MODEL_REFERENCE_H_
#define P2PD_TESTS_MODEL_REFERENCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace model {

using Id = uint64_t;

constexpr int kExporters = 2;
constexpr int kEngines = 2;
constexpr int kDevices = kExporters + kEngines;  // 0, 1: exporters; 2, 3: engines
constexpr int kSlots = 8;

enum class Expect { kGranted, kRefused, kEither };

struct Session {
  int user = 0;
  bool stubborn = false;  // never answers when it is asked to stop
};

struct Device {
  Id driver = 0;             // 0: nobody
  bool ready = true;         // its driver has set it up, or it has none
  std::set<Id> fds_held_by;  // sessions, ended ones too
  bool tainted = false;      // its driver ended while somebody held an fd of it
  bool resetting = false;    // an operation on it is not over
  bool ending = false;       // its driver's end, or its removal, is not over
  bool leaving = false;      // the latter
  bool gone = false;         // it was unbound, and has not returned
  bool busy() const { return resetting || ending; }
  bool usable() const { return !tainted && !gone; }
};

struct Export {
  Id session = 0;
  int device = 0;
  int slot = 0;
  int slots = 1;
  bool raw = false;
  bool raw_fd_held = false;
  bool mortal = false;    // its time is over when the clock moves
  bool revoking = false;  // somebody is taking it away: when that is over is p2pd's affair
  bool given_up = false;  // a RAW one whose dma-buf is still held: it lingers
};

struct Space {
  Id session = 0;
  int engine = 0;
};

struct Mapping {
  Id session = 0;
  Id space = 0;
  Id source = 0;
  int engine = 0;
  int device = 0;
  int slot = 0;
  int slots = 1;
  bool cut_off = false;  // its session did not stop in time: nothing may be reached until it says it has
  bool ending = false;   // it may be reached no longer than until the deadline
};

class Reference {
 public:
  // ---- What must come of a request -----------------------------------------------------------------------

  Expect ExpectOpen(Id session, int device) const;
  Expect ExpectClose(Id session, int device) const;
  Expect ExpectReady(Id session, int device) const;
  Expect ExpectReset(int device) const;
  Expect ExpectExport(Id session, int device, int slot, int slots, bool raw) const;
  Expect ExpectSpace(Id session, int engine) const;
  Expect ExpectMap(Id session, Id source, Id space) const;
  Expect ExpectOwned(Id session, Id owner) const;

  // ---- What came of it -----------------------------------------------------------------------------------

  void Connected(Id session, int user, bool stubborn) { sessions[session] = {.user = user, .stubborn = stubborn}; }
  void Ended(Id session);
  void Opened(Id session, int device);
  void Closed(int device) { DriverEnded(device); }
  void DriverReady(int device) { devices[device].ready = true; }
  void ResetBegan(int device);
  void Exported(Id id, Id session, int device, int slot, int slots, bool raw);
  void ExportDeleted(Id id);
  void MadeMortal(Id id) { exports.at(id).mortal = true; }
  // It told of an error, which may have cleared it, while nothing else was going on.
  void ErrorTold(int device, bool cleared);
  void Leaves(int device);
  void Returned(int device);
  void SpaceMade(Id id, Id session, int engine) { spaces[id] = {.session = session, .engine = engine}; }
  void SpaceDeleted(Id id);
  void Mapped(Id id, Id session, Id source, Id space);
  void Unmapped(Id id) { mappings.erase(id); }
  // The session has let go of every descriptor that it was given.
  void FdsClosed(Id session);
  // It says, late, that it has stopped.
  void AckedLate(Id session, int device);
  // The operation is over.
  void ResetOver(int device);
  void DriverEndOver(int device);
  void SessionOver(Id session);
  // Longer than any deadline has passed: no operation is under way any more.
  void Settled();

  // ---- The guarantees ------------------------------------------------------------------------------------

  // Whether any live right lets the engine reach that slot.
  bool MayReach(int engine, int device, int slot) const;
  // Whether a RAW export that was given up is still there is p2pd's affair: nobody holds it any more.
  bool MayLinger(Id id) const;
  bool Idle() const;
  uint64_t MappingsOf(int user) const;

  std::map<Id, Session> sessions;
  Device devices[kDevices];
  std::map<Id, Export> exports;
  std::map<Id, Space> spaces;
  std::map<Id, Mapping> mappings;

 private:
  void DriverEnded(int device);
  void EndMappings(const std::set<Id>& which);
  void BoundAfresh(int device);
  void DropExport(Id id);
};

}  // namespace model

#endif  // P2PD_TESTS_MODEL_REFERENCE_H_
