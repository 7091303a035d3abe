#include "daemon/core/offer.h"

#include <algorithm>

#include "policy/glob.h"

namespace p2pd {
namespace {

bool IsMember(const Subject& subject, uint32_t gid) {
  return subject.gid == gid || std::find(subject.groups.begin(), subject.groups.end(), gid) != subject.groups.end();
}

bool IsMadeTo(const OfferTerms& terms, const Subject& subject, std::optional<SessionId> session) {
  return (!terms.uid.has_value() || subject.uid == *terms.uid) &&
         (!terms.gid.has_value() || IsMember(subject, *terms.gid)) &&
         (terms.unit.empty() || Glob(terms.unit).Matches(subject.unit)) &&
         (!terms.session.has_value() || session == terms.session);
}

}  // namespace

bool Covers(const OfferView& offer, const Subject& subject, std::optional<SessionId> session, const Window& window,
            std::optional<Access> access) {
  const Window& offered = offer.window;
  const bool within = window.device == offered.device && window.bar == offered.bar && window.range.Valid() &&
                      window.range.start >= offered.range.start && window.range.last() <= offered.range.last();
  const int asked = access.has_value() ? static_cast<int>(*access) : 0;
  return within && (asked & ~static_cast<int>(offer.terms.access)) == 0 && IsMadeTo(offer.terms, subject, session);
}

}  // namespace p2pd
