// Whether a number is one of an enumeration's named values, as the compiler knows them: nobody has to keep the
// last one up to date where numbers come from outside. The first 64 values are looked at, from 0 on.
#ifndef P2PD_DAEMON_BASE_NAMED_VALUES_H_
#define P2PD_DAEMON_BASE_NAMED_VALUES_H_

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace p2pd {
namespace internal {

// A value that has no name is spelled as a cast, "[... = (p2pd::Color)7]".
template <auto kValue>
constexpr bool HasName() {
  const std::string_view spelled = __PRETTY_FUNCTION__;
  return spelled.find("= (") == std::string_view::npos;
}

template <typename Enum, size_t... kNumbers>
constexpr uint64_t NamedValues(std::index_sequence<kNumbers...>) {
  return ((uint64_t{HasName<static_cast<Enum>(kNumbers)>()} << kNumbers) | ...);
}

}  // namespace internal

template <typename Enum>
constexpr bool IsNamedValue(uint64_t number) requires std::is_enum_v<Enum> {
  constexpr uint64_t kNamed = internal::NamedValues<Enum>(std::make_index_sequence<64>());
  return number < 64 && (kNamed >> number & 1) != 0;
}

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_NAMED_VALUES_H_
