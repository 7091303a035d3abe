# fish completion for p2pctl(1). Objects are asked of p2pd, if it answers.

# The names in a list: sessions/7, exports/12; a device's is its address.
function __p2pctl_names
    p2pctl --no-legend --color=never --timeout=1 $argv[1] 2>/dev/null | string split --fields 1 --no-empty ' '
end

# Likewise, without the kind.
function __p2pctl_ask
    __p2pctl_names $argv[1] | string replace --regex '^[a-z-]*/' ''
end

# Whether the second word is due, or done, after these commands.
function __p2pctl_needs_show
    __fish_seen_subcommand_from $argv; and not __fish_seen_subcommand_from show recover
end
function __p2pctl_shows
    __fish_seen_subcommand_from $argv; and __fish_seen_subcommand_from show recover
end

complete -c p2pctl -f

complete -c p2pctl -l json -d 'Write JSON'
complete -c p2pctl -l no-legend -d 'Write tables without their header'
complete -c p2pctl -l color -x -a 'auto always never' -d 'Colour states'
complete -c p2pctl -l timeout -x -d 'Give up on p2pd after this many seconds'
complete -c p2pctl -l fd-socket -r -F -d "p2pd's fd channel"
complete -c p2pctl -l grpc-socket -r -F -d "p2pd's gRPC socket"
complete -c p2pctl -l version -d 'Show the version'
complete -c p2pctl -s h -l help -d 'Show help'

complete -c p2pctl -n __fish_use_subcommand -a status -d 'Show what p2pd can do and how much is going on'
complete -c p2pctl -n __fish_use_subcommand -a ping -d 'Ask p2pd for a sign of life'
complete -c p2pctl -n __fish_use_subcommand -a log-level -d 'Show how much p2pd logs, or set it'
complete -c p2pctl -n __fish_use_subcommand -a devices -d 'List the devices that p2pd manages'
complete -c p2pctl -n __fish_use_subcommand -a device -d 'Show one device, or try again to make it work'
complete -c p2pctl -n __fish_use_subcommand -a topology -d 'Show how DMA gets from one device to another'
complete -c p2pctl -n __fish_use_subcommand -a sessions -d 'List the connected clients'
complete -c p2pctl -n __fish_use_subcommand -a session -d 'Show one and what it holds'
complete -c p2pctl -n __fish_use_subcommand -a exports -d 'List the windows of devices that sessions hold'
complete -c p2pctl -n __fish_use_subcommand -a export -d 'Show one and its mappings'
complete -c p2pctl -n __fish_use_subcommand -a offers -d 'List which windows drivers offer, and to whom'
complete -c p2pctl -n __fish_use_subcommand -a address-spaces -d 'List the address spaces and their devices'
complete -c p2pctl -n __fish_use_subcommand -a mappings -d 'List what devices can reach, and at which IOVA'
complete -c p2pctl -n __fish_use_subcommand -a operations -d 'List resets and revocations'
complete -c p2pctl -n __fish_use_subcommand -a operation -d 'Show one with its receipt'
complete -c p2pctl -n __fish_use_subcommand -a watch -d 'Show everything as it is, then every change'
complete -c p2pctl -n __fish_use_subcommand -a acquire -d 'Hold a window in the background'
complete -c p2pctl -n __fish_use_subcommand -a renew -d 'Begin the time to live of what acquire took anew'
complete -c p2pctl -n __fish_use_subcommand -a release -d 'Give back what acquire took'
complete -c p2pctl -n __fish_use_subcommand -a run -d 'Run a command with descriptors of windows and devices'
complete -c p2pctl -n __fish_use_subcommand -a reset -d 'Reset a device, put mappings of it back'
complete -c p2pctl -n __fish_use_subcommand -a revoke -d 'End a session, or take an export away'

complete -c p2pctl -n __fish_use_subcommand -a policy -d 'Check or test a policy; have p2pd reload or explain its own'

complete -c p2pctl -n '__fish_seen_subcommand_from policy; and not __fish_seen_subcommand_from check test reload explain' -a 'check test reload explain'
complete -c p2pctl -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from check test' -F
complete -c p2pctl -n '__fish_seen_subcommand_from log-level' -a 'error warning notice info debug'
complete -c p2pctl -n '__p2pctl_needs_show device session export operation' -a show
complete -c p2pctl -n '__p2pctl_needs_show device' -a recover
complete -c p2pctl -n '__p2pctl_shows device' -a '(__p2pctl_ask devices)'
complete -c p2pctl -n '__p2pctl_shows session' -a '(__p2pctl_ask sessions)'
complete -c p2pctl -n '__p2pctl_shows export' -a '(__p2pctl_ask exports)'
complete -c p2pctl -n '__p2pctl_shows operation' -a '(__p2pctl_ask operations)'
complete -c p2pctl -n '__fish_seen_subcommand_from topology' -a '(__p2pctl_ask devices)'
complete -c p2pctl -n '__fish_seen_subcommand_from reset' -a '(__p2pctl_ask devices)'
complete -c p2pctl -n '__fish_seen_subcommand_from renew release' -a '(__p2pctl_names sessions)'
complete -c p2pctl -n '__fish_seen_subcommand_from revoke' -a '(__p2pctl_names sessions; __p2pctl_names exports)'
complete -c p2pctl -n '__fish_seen_subcommand_from acquire' -a '(__p2pctl_ask devices)/'

complete -c p2pctl -n '__fish_seen_subcommand_from ping watch' -l count -x -d 'Stop after this many'
complete -c p2pctl -n '__fish_seen_subcommand_from watch' -l until-in-sync -d 'Stop once the snapshot is complete'
complete -c p2pctl -n '__fish_seen_subcommand_from reload' -l dry-run -d 'Only tell what would be revoked'
complete -c p2pctl -n '__fish_seen_subcommand_from reload' -l once -d 'If p2pd ends meanwhile, fail: the next one reads the policy anyway'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l user -x -a '(__fish_complete_users)' -d 'Who asks'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l unit -x -d 'in this systemd unit'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l label -x -d 'with this security label'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l session -x -a '(__p2pctl_names sessions)' -d 'Who asks is this session'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l exporter -x -a '(__p2pctl_ask devices)' -d 'Whose window it is'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l window -x -a '(__p2pctl_ask devices)/' -d 'The window'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l importer -x -a '(__p2pctl_ask devices)' -d 'What is to reach it'
complete -c p2pctl -n '__fish_seen_subcommand_from explain' -l access -x -a 'READ WRITE READ_WRITE' -d 'How'
complete -c p2pctl -n '__fish_seen_subcommand_from topology' -l tree -d 'The devices and what leads to them, only'
complete -c p2pctl -n '__fish_seen_subcommand_from topology' -l matrix -d 'The ways between them, only'
complete -c p2pctl -n '__fish_seen_subcommand_from topology' -l dot -d 'The tree for Graphviz'
complete -c p2pctl -n '__fish_seen_subcommand_from acquire' -l for -x -a '(__p2pctl_ask devices)' -d 'Map it for this device'
complete -c p2pctl -n '__fish_seen_subcommand_from acquire' -l raw -d 'With a dma-buf'
complete -c p2pctl -n '__fish_seen_subcommand_from acquire' -l time-to-live -x -d 'Give it back after this, unless renewed'
complete -c p2pctl -n '__fish_seen_subcommand_from operations' -l follow -d 'Show those under way and every later one'
complete -c p2pctl -n '__fish_seen_subcommand_from reset' -l scope -x -a 'function bus' -d 'With all of its slot or bus?'
complete -c p2pctl -n '__fish_seen_subcommand_from reset recover revoke' -l progress -x -a 'auto always never' -d 'Each step on stderr'
complete -c p2pctl -n '__fish_seen_subcommand_from run' -l acquire -x -a '(__p2pctl_ask devices)/' -d 'Pass its dma-buf'
complete -c p2pctl -n '__fish_seen_subcommand_from run' -l drive -x -a '(__p2pctl_ask devices)' -d 'Pass its VFIO descriptor'
complete -c p2pctl -n '__fish_seen_subcommand_from run' -l quiesce -d 'It stops its DMA on SIGUSR1 and says so'
complete -c p2pctl -n '__fish_seen_subcommand_from revoke' -l reason -x -d 'Why: for those concerned, and the receipt'
