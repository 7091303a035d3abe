// The ways between devices as p2pctl shows them to people: a short word a pair, what the words mean, one pair in
// sentences, the hierarchy for Graphviz. Pure.
#ifndef P2PD_CLIENT_P2PCTL_TOPOLOGY_TEXT_H_
#define P2PD_CLIENT_P2PCTL_TOPOLOGY_TEXT_H_

#include <string>

#include "client/p2pctl/table.h"
#include "client/types.h"

namespace p2p::ctl {

// "SW", "HB!": a field of the matrix.
Cell PathCell(const v1::Topology::Path& path);
// What each of these words means, one a line.
std::string PathLegend();

// One pair in full sentences, one a line.
std::string PathSentences(const v1::Topology::Path& path);

// The words of the tree's columns.
std::string NodeKindText(const v1::Topology::Node& node);
Cell AcsCell(const v1::Topology::Node& node);
Cell NodeNoteCell(const v1::Topology::Node& node);  // a host bridge's trust, or what could not be read
std::string AtsText(const v1::Topology::Node& node);

// A digraph: the nodes, and what hangs below what. What redirects, and a host bridge that is not known good, is red.
std::string TopologyAsDot(const v1::Topology& topology);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_TOPOLOGY_TEXT_H_
