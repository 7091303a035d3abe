#include "client/p2pctl/table.h"

#include <libsmartcols/libsmartcols.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace p2p::ctl {
namespace {

using ScolsTable = std::unique_ptr<libscols_table, void (*)(libscols_table*)>;

ScolsTable NewScolsTable() {
  ScolsTable table(scols_new_table(), scols_unref_table);
  if (table == nullptr) abort();  // out of memory
  // No line is cut, however narrow the terminal.
  scols_table_set_termforce(table.get(), SCOLS_TERMFORCE_NEVER);
  return table;
}

// libsmartcols pads the last column, too.
std::string WithoutTrailingSpaces(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    absl::string_view line = text.substr(0, end);
    text = end == absl::string_view::npos ? absl::string_view() : text.substr(end + 1);
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    absl::StrAppend(&result, line, "\n");
  }
  return result;
}

}  // namespace

absl::string_view AnsiSequence(Color color) {
  switch (color) {
    case Color::kNone:
      return "";
    case Color::kGood:
      return "\033[32m";
    case Color::kBusy:
      return "\033[33m";
    case Color::kBad:
      return "\033[31m";
    case Color::kReset:
      return "\033[0m";
  }
  return "";
}

Table::Table(std::vector<Column> columns, Style style) : columns_(std::move(columns)), style_(style) {}

size_t Table::AddRow(std::vector<Cell> cells, std::optional<size_t> parent) {
  rows_.push_back({.cells = std::move(cells), .parent = parent});
  return rows_.size() - 1;
}

std::string Table::ToString() const {
  const ScolsTable table = NewScolsTable();
  scols_table_enable_noheadings(table.get(), style_.header ? 0 : 1);
  scols_table_enable_colors(table.get(), style_.colors ? 1 : 0);
  scols_table_set_column_separator(table.get(), "  ");
  for (const Column& column : columns_) {
    // A header that is not shown would still make its column as wide as itself.
    const char* header = style_.header ? column.header.c_str() : "";
    scols_table_new_column(table.get(), header, 0,
                           (column.right ? SCOLS_FL_RIGHT : 0) | (column.tree ? SCOLS_FL_TREE : 0));
  }
  std::vector<libscols_line*> lines;
  for (const auto& [cells, parent] : rows_) {
    libscols_line* line = scols_table_new_line(table.get(), parent.has_value() ? lines[*parent] : nullptr);
    lines.push_back(line);
    for (size_t i = 0; i < cells.size(); ++i) {
      libscols_cell* cell = scols_line_get_cell(line, i);
      scols_cell_set_data(cell, cells[i].text.empty() ? "-" : cells[i].text.c_str());
      const std::string color(AnsiSequence(cells[i].color));
      if (style_.colors && !color.empty()) scols_cell_set_color(cell, color.c_str());
    }
  }
  if (rows_.empty()) {  // libsmartcols prints nothing at all, not even the header
    if (!style_.header) return "";
    std::string header;
    for (const Column& column : columns_) absl::StrAppend(&header, header.empty() ? "" : "  ", column.header);
    return header + "\n";
  }
  char* text = nullptr;
  if (scols_print_table_to_string(table.get(), &text) != 0 || text == nullptr) abort();  // out of memory
  const std::unique_ptr<char, void (*)(void*)> owner(text, free);
  return WithoutTrailingSpaces(text);
}

}  // namespace p2p::ctl
