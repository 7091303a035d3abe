#!/bin/bash
# Writes descriptors.textproto anew: what clients of the last release were built against, which released_test holds
# every later tree to. Part of making a release, once the version is set (daemon/base/version.h).
set -euo pipefail
cd "$(dirname "$0")/../../../.."
out=proto/p2pd/v1/released/descriptors.textproto
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)";/\1/p' daemon/base/version.h)
{
  echo "# proto-message: google.protobuf.FileDescriptorSet"
  echo "# proto/p2pd/v1 as p2pd $version has it. Written by renew.sh."
  protoc --descriptor_set_out=/dev/stdout proto/p2pd/v1/*.proto |
    protoc --decode=google.protobuf.FileDescriptorSet google/protobuf/descriptor.proto
} >"$out.new"
mv "$out.new" "$out"
