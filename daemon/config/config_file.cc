#include "daemon/config/config_file.h"

#include <vector>

#include "daemon/base/errors.h"
#include "daemon/config/config_reader.h"
#include "daemon/textproto/problem_list.h"
#include "daemon/textproto/text_parser.h"
#include "daemon/textproto/trusted_file.h"
#include "google/protobuf/text_format.h"
#include "proto/p2pd/v1/config.pb.h"

namespace p2pd {
namespace {

constexpr char kFragments[] = ".conf";

absl::Status LoadFile(const std::string& path, Settings& settings) {
  P2PD_ASSIGN_OR_RETURN(const std::string text, ReadTrustedFile(path, kMaxTextBytes));
  return ParseConfig(text, path, settings);
}

}  // namespace

absl::Status ParseConfig(absl::string_view text, const std::string& file_name, Settings& settings) {
  v1::Config config;
  google::protobuf::TextFormat::ParseInfoTree tree;
  P2PD_RETURN_IF_ERROR(ParseText(text, file_name, config, tree));
  return ReadConfig(config, tree, file_name, settings);
}

absl::StatusOr<Settings> LoadConfig(const std::string& path, bool may_miss) {
  Settings settings;
  absl::Status status = LoadFile(path, settings);
  if (may_miss && GetErrorInfo(status).error == ENOENT) status = absl::OkStatus();
  P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> fragments, ListTrustedFolder(path + ".d", kFragments));
  for (const std::string& fragment : fragments) status = JoinProblems(status, LoadFile(fragment, settings));
  if (!status.ok()) return status;
  return settings;
}

}  // namespace p2pd
