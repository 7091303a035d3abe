#include "proto/p2pd/v1/released/wire_changes.h"

#include <map>

#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

using ::google::protobuf::DescriptorProto;
using ::google::protobuf::EnumDescriptorProto;
using ::google::protobuf::FieldDescriptorProto;
using ::google::protobuf::FileDescriptorSet;
using ::google::protobuf::MethodDescriptorProto;

// What a file set declares, each thing under its full name, as a line that says all that must not change.
class Declarations {
 public:
  explicit Declarations(const FileDescriptorSet& files) {
    for (const auto& file : files.file()) {
      for (const auto& message : file.message_type()) AddMessage(file.package(), message);
      for (const auto& type : file.enum_type()) AddEnum(file.package(), type);
      for (const auto& service : file.service()) {
        const std::string name = absl::StrCat(file.package(), ".", service.name());
        all_[absl::StrCat("service ", name)] = "there";
        for (const auto& method : service.method()) {
          all_[absl::StrCat("method ", name, ".", method.name())] = Line(method);
        }
      }
    }
  }

  const std::map<std::string, std::string>& all() const { return all_; }

 private:
  void AddMessage(const std::string& scope, const DescriptorProto& message) {
    const std::string name = absl::StrCat(scope, ".", message.name());
    all_[absl::StrCat("message ", name)] = "there";
    for (const auto& field : message.field()) {
      all_[absl::StrCat("field ", name, " ", field.number())] = Line(message, field);
    }
    for (const auto& nested : message.nested_type()) AddMessage(name, nested);
    for (const auto& type : message.enum_type()) AddEnum(name, type);
  }

  void AddEnum(const std::string& scope, const EnumDescriptorProto& type) {
    const std::string name = absl::StrCat(scope, ".", type.name());
    all_[absl::StrCat("enum ", name)] = "there";
    // By name: a number may have several.
    for (const auto& value : type.value()) {
      all_[absl::StrCat("value ", name, ".", value.name())] = absl::StrCat("number ", value.number());
    }
  }

  static std::string Line(const DescriptorProto& message, const FieldDescriptorProto& field) {
    std::string line = absl::StrCat(field.name(), ": ", FieldDescriptorProto::Label_Name(field.label()), " ",
                                    FieldDescriptorProto::Type_Name(field.type()));
    if (!field.type_name().empty()) absl::StrAppend(&line, " ", field.type_name());
    if (field.proto3_optional()) {
      absl::StrAppend(&line, ", optional");
    } else if (field.has_oneof_index()) {
      absl::StrAppend(&line, ", in oneof ", message.oneof_decl(field.oneof_index()).name());
    }
    if (field.options().has_packed()) absl::StrAppend(&line, ", packed ", field.options().packed());
    return line;
  }

  static std::string Line(const MethodDescriptorProto& method) {
    return absl::StrCat(method.client_streaming() ? "stream of " : "", method.input_type(), " -> ",
                        method.server_streaming() ? "stream of " : "", method.output_type());
  }

  std::map<std::string, std::string> all_;
};

}  // namespace

std::vector<std::string> WireChanges(const FileDescriptorSet& released, const FileDescriptorSet& current) {
  std::vector<std::string> changes;
  const Declarations now(current);
  const Declarations then(released);
  for (const auto& [name, line] : then.all()) {
    const auto found = now.all().find(name);
    if (found == now.all().end()) {
      changes.push_back(absl::StrCat(name, " was ", line, ", and is gone"));
    } else if (found->second != line) {
      changes.push_back(absl::StrCat(name, " was ", line, ", and is ", found->second));
    }
  }
  return changes;
}

}  // namespace p2pd
