// `p2pctl offers`: which windows of their devices drivers offer, and to whom.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

std::string ToText(const v1::OfferedTo& to) {
  std::vector<std::string> who;
  if (to.has_uid()) who.push_back(absl::StrCat("uid ", to.uid()));
  if (to.has_gid()) who.push_back(absl::StrCat("gid ", to.gid()));
  if (!to.unit().empty()) who.push_back(to.unit());
  if (!to.session().empty()) who.push_back(to.session());
  return who.empty() ? "everybody" : absl::StrJoin(who, ", ");
}

absl::Status ListOffers(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Offer> offers, session->ListOffers());
  if (context.json()) {
    v1::ListOffersResponse response;
    for (const v1::Offer& offer : offers) *response.add_offers() = offer;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "OFFER"},
                                  {.header = "DRIVER"},
                                  {.header = "DEVICE"},
                                  {.header = "BAR", .right = true},
                                  {.header = "OFFSET", .right = true},
                                  {.header = "LENGTH", .right = true},
                                  {.header = "ACCESS"},
                                  {.header = "TO"},
                                  {.header = "EXPIRES"}});
  for (const v1::Offer& offer : offers) {
    table.AddRow({{offer.name()},
                  {offer.session()},
                  {ShortName(offer.window().device())},
                  {absl::StrCat(offer.window().bar())},
                  {HexText(offer.window().offset())},
                  {SizeText(offer.window().length())},
                  {v1::Access_Name(offer.access())},
                  {ToText(offer.to())},
                  {TimeText(offer.expire_time())}});
  }
  context.Print(table);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> OfferCommands() {
  return {
      {.name = "offers", .help = "List which windows of their devices drivers offer, and to whom", .run = ListOffers}};
}

}  // namespace p2p::ctl
