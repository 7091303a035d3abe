// What is behind the C interface's handles.
#ifndef P2PD_CLIENT_C_HANDLES_H_
#define P2PD_CLIENT_C_HANDLES_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/c/libp2p.h"
#include "client/session.h"

namespace p2p::c {

// A device as C sees it; its strings are those of `proto`, so that it stays where it is.
class DeviceInfo {
 public:
  explicit DeviceInfo(v1::Device proto);
  DeviceInfo(const DeviceInfo&) = delete;
  DeviceInfo& operator=(const DeviceInfo&) = delete;

  const p2p_device_info* get() const { return &info_; }

 private:
  const v1::Device proto_;
  p2p_device_info info_ = {};
};

}  // namespace p2p::c

struct p2p_session {
  std::unique_ptr<p2p::Session> session;
};

struct p2p_quiesce {
  p2p::QuiesceRequest request;
  std::vector<std::string> devices;
};

struct p2p_device {
  p2p::Device device;
  std::unique_ptr<p2p::c::DeviceInfo> info;
};

struct p2p_device_list {
  std::vector<std::unique_ptr<p2p::c::DeviceInfo>> devices;
};

struct p2p_export {
  p2p::Export window;
};

struct p2p_space {
  p2p::AddressSpace space;
};

struct p2p_mapping {
  p2p::Mapping mapping;
};

struct p2p_memory {
  p2p::SealedMemory memory;
};

#endif  // P2PD_CLIENT_C_HANDLES_H_
