"""External repositories made of Debian's -dev packages; nothing is downloaded.

Each repository links its library's headers out of /usr/include, so that Bazel
tracks them, and takes its link flags from pkg-config ("-l..." is used as is).
Debian's compilers still find every header in /usr/include, so a forgotten dep
compiles and fails only at the link.
"""

def _link_flags(rctx, packages):
    literal = [p for p in packages if p.startswith("-")]
    packages = [p for p in packages if not p.startswith("-")]
    result = rctx.execute(["pkg-config", "--libs"] + packages)
    if result.return_code != 0:
        fail("pkg-config --libs {}: {}\ntry: apt-get install {}".format(
            " ".join(packages),
            result.stderr,
            rctx.attr.debian_packages,
        ))
    flags = literal
    for flag in result.stdout.strip().split(" "):
        if flag and (flag.startswith("-Wl,") or flag not in flags):
            flags.append(flag)

    # Bazel links with --no-as-needed; keep DT_NEEDED to what is used.
    return ["-Wl,--push-state,--as-needed"] + flags + ["-Wl,--pop-state"]

def _system_library_impl(rctx):
    for header in rctx.attr.headers:
        source = rctx.path("/usr/include/" + header)
        if not source.exists:
            fail("{} is missing; apt-get install {}".format(source, rctx.attr.debian_packages))
        rctx.symlink(source, "include/" + header)
    for tool in rctx.attr.tools:
        source = rctx.which(tool)
        if not source:
            fail("{} is not on PATH; apt-get install {}".format(tool, rctx.attr.debian_packages))
        rctx.symlink(source, "bin/" + tool)

    build = ['package(default_visibility = ["//visibility:public"])', ""]
    build.append("exports_files(glob([\"bin/*\"]))")
    build.append("""
cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
)
""")
    aliases = {}
    for target, packages in rctx.attr.targets.items():
        package, _, name = target.rpartition(":")
        library = target.replace("/", "_").replace(":", "_") if package else name
        build.append("""
cc_library(
    name = "{}",
    linkopts = {},
    deps = {},
)
""".format(
            library,
            repr(_link_flags(rctx, packages)),
            repr([":headers"] + rctx.attr.deps),
        ))
        if package:
            aliases.setdefault(package, []).append((name, library))
    build.append(rctx.attr.extra_build)
    rctx.file("BUILD.bazel", "\n".join(build), executable = False)
    for package, names in aliases.items():
        text = 'package(default_visibility = ["//visibility:public"])\n'
        for name, library in names:
            text += '\nalias(\n    name = "{}",\n    actual = "//:{}",\n)\n'.format(name, library)
        rctx.file(package + "/BUILD.bazel", text, executable = False)

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "debian_packages": attr.string(mandatory = True),
        "deps": attr.string_list(),
        "extra_build": attr.string(),
        "headers": attr.string_list(),
        "targets": attr.string_list_dict(),
        "tools": attr.string_list(),
    },
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
)

_WELL_KNOWN_PROTOS = ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"]

def system_libraries():
    """Declares every C++ library the project uses, under its usual name."""
    system_library(
        name = "com_google_absl",
        debian_packages = "libabsl-dev",
        headers = ["absl"],
        targets = {
            "absl/base:core_headers": ["absl_core_headers"],
            "absl/cleanup:cleanup": ["absl_cleanup"],
            "absl/container:flat_hash_map": ["absl_flat_hash_map"],
            "absl/container:flat_hash_set": ["absl_flat_hash_set"],
            "absl/container:btree": ["absl_btree"],
            "absl/container:inlined_vector": ["absl_inlined_vector"],
            "absl/flags:flag": ["absl_flags"],
            "absl/flags:parse": ["absl_flags_parse"],
            "absl/functional:any_invocable": ["absl_any_invocable"],
            "absl/status:status": ["absl_status"],
            "absl/status:statusor": ["absl_statusor"],
            "absl/strings:strings": ["absl_strings"],
            "absl/strings:str_format": ["absl_str_format", "absl_str_format_internal"],
            "absl/strings:cord": ["absl_cord"],
            "absl/synchronization:synchronization": ["absl_synchronization"],
            "absl/time:time": ["absl_time"],
            "absl/types:span": ["absl_span"],
        },
    )
    system_library(
        name = "com_google_protobuf",
        debian_packages = "libprotobuf-dev protobuf-compiler",
        headers = ["google/protobuf"],
        targets = {"protobuf": ["protobuf"]},
        tools = ["protoc"],
        extra_build = """
alias(name = "protoc", actual = "bin/protoc")
""" + "".join([
            """
proto_library(
    name = "{n}_proto",
    srcs = ["include/google/protobuf/{n}.proto"],
    strip_import_prefix = "include",
)
""".format(n = n)
            for n in _WELL_KNOWN_PROTOS
        ]),
    )
    system_library(
        name = "com_github_grpc_grpc",
        debian_packages = "libgrpc++-dev protobuf-compiler-grpc",
        headers = ["grpc", "grpc++", "grpcpp"],
        targets = {
            "grpc++": ["grpc++"],
            "grpc++_reflection": ["-lgrpc++_reflection", "grpc++"],
        },
        tools = ["grpc_cpp_plugin"],
        deps = ["@com_google_absl//:headers", "@com_google_protobuf//:protobuf"],
    )
    system_library(
        name = "cli11",
        debian_packages = "libcli11-dev",
        headers = ["CLI"],
        targets = {"cli11": ["CLI11"]},
    )
    system_library(
        name = "smartcols",
        debian_packages = "libsmartcols-dev",
        headers = ["libsmartcols"],
        targets = {"smartcols": ["smartcols"]},
    )
    system_library(
        name = "com_google_googletest",
        debian_packages = "libgtest-dev libgmock-dev",
        headers = ["gtest", "gmock"],
        targets = {
            "gtest": ["gtest", "gmock"],
            "gtest_main": ["gmock_main", "gmock", "gtest"],
        },
    )
    system_library(
        name = "zlib",
        debian_packages = "zlib1g-dev",
        headers = ["zlib.h", "zconf.h"],
        targets = {"zlib": ["zlib"]},
    )
    system_library(
        name = "libsystemd",
        debian_packages = "libsystemd-dev",
        headers = ["systemd"],
        targets = {"libsystemd": ["libsystemd"]},
    )
