// Tables as people read them: aligned columns by libsmartcols, "-" for what is empty, and no control
// character of anybody's text on the terminal.
#ifndef P2PD_CLIENT_P2PCTL_TABLE_H_
#define P2PD_CLIENT_P2PCTL_TABLE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace p2p::ctl {

enum class Color { kNone, kGood, kBusy, kBad, kReset };

// The terminal's escape sequence; "" for kNone.
absl::string_view AnsiSequence(Color color);

struct Cell {
  std::string text;
  Color color = Color::kNone;
};

struct Column {
  std::string header;
  bool right = false;  // numbers
  bool tree = false;   // shows which row belongs below which
};

class Table {
 public:
  struct Style {
    bool header = true;
    bool colors = false;
  };

  Table(std::vector<Column> columns, Style style);

  // As many cells as there are columns. Returns the row's number; `parent` is an earlier one's.
  size_t AddRow(std::vector<Cell> cells, std::optional<size_t> parent = std::nullopt);
  // One line a row, "" for no rows and no header.
  std::string ToString() const;

 private:
  const std::vector<Column> columns_;
  const Style style_;
  struct Row {
    std::vector<Cell> cells;
    std::optional<size_t> parent;
  };
  std::vector<Row> rows_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_TABLE_H_
