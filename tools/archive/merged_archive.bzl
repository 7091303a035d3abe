"""A static library that can leave the tree: Bazel's own hold one target each."""

def _merged_archive_impl(ctx):
    archives = []
    for linker_input in ctx.attr.dep[CcInfo].linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            archive = library.pic_static_library or library.static_library
            if archive:
                archives.append(archive)
    output = ctx.actions.declare_file(ctx.label.name)
    script = ctx.actions.declare_file(ctx.label.name + ".mri")
    ctx.actions.write(script, "\n".join(
        ["create " + output.path] + ["addlib " + archive.path for archive in archives] + ["save", "end", ""],
    ))
    ctx.actions.run_shell(
        inputs = archives + [script],
        outputs = [output],
        command = "ar -M < " + script.path,
        mnemonic = "MergeArchives",
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([output]), runfiles = ctx.runfiles([output]))]

merged_archive = rule(
    implementation = _merged_archive_impl,
    attrs = {"dep": attr.label(mandatory = True, providers = [CcInfo])},
)
