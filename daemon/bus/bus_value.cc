#include "daemon/bus/bus_value.h"

#include <errno.h>

#include "absl/strings/escaping.h"

namespace p2pd {
namespace {

struct Signature {
  const char* operator()(const std::string&) const { return "s"; }
  const char* operator()(bool) const { return "b"; }
  const char* operator()(int32_t) const { return "i"; }
  const char* operator()(uint32_t) const { return "u"; }
  const char* operator()(uint64_t) const { return "t"; }
  const char* operator()(const std::vector<BusBar>&) const { return "a(utsb)"; }
  const char* operator()(const std::vector<BusCapability>&) const { return "a(sbs)"; }
};

// Runs the steps until one fails.
template <typename... Steps>
int Each(Steps... steps) {
  int result = 0;
  (void)((result = steps(), result >= 0) && ...);
  return result;
}

struct Appender {
  int operator()(const std::string& text) const { return AppendText(message, text); }
  int operator()(bool value) const { return sd_bus_message_append(message, "b", static_cast<int>(value)); }
  int operator()(int32_t value) const { return sd_bus_message_append(message, "i", value); }
  int operator()(uint32_t value) const { return sd_bus_message_append(message, "u", value); }
  int operator()(uint64_t value) const { return sd_bus_message_append(message, "t", value); }
  int operator()(const BusBar& bar) const {
    return Struct("utsb", [&] {
      return Each([&] { return (*this)(bar.index); }, [&] { return (*this)(bar.size); },
                  [&] { return (*this)(bar.kind); }, [&] { return (*this)(bar.exportable); });
    });
  }
  int operator()(const BusCapability& capability) const {
    return Struct("sbs", [&] {
      return Each([&] { return (*this)(capability.name); }, [&] { return (*this)(capability.available); },
                  [&] { return (*this)(capability.detail); });
    });
  }
  int operator()(const std::vector<BusBar>& bars) const { return Array("(utsb)", bars); }
  int operator()(const std::vector<BusCapability>& capabilities) const { return Array("(sbs)", capabilities); }

  template <typename Fill>
  int Struct(const char* contents, Fill fill) const {
    return Each([&] { return sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, contents); }, fill,
                [&] { return sd_bus_message_close_container(message); });
  }
  template <typename Element>
  int Array(const char* contents, const std::vector<Element>& elements) const {
    int result = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, contents);
    for (size_t i = 0; result >= 0 && i < elements.size(); ++i) result = (*this)(elements[i]);
    return result < 0 ? result : sd_bus_message_close_container(message);
  }

  sd_bus_message* const message;
};

}  // namespace

const char* SignatureOf(const BusValue& value) { return std::visit(Signature(), value); }

int AppendText(sd_bus_message* message, const std::string& text) {
  const int result = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, text.c_str());
  if (result != -EINVAL) return result;
  return sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, absl::CHexEscape(text).c_str());
}

int Append(sd_bus_message* message, const BusValue& value) { return std::visit(Appender{message}, value); }

}  // namespace p2pd
