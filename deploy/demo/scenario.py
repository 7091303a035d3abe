#!/usr/bin/env python3
"""The demonstration: bytes move between two devices, and stop moving when p2pd takes the way away.

Runs p2pd as root and its example clients as users 2001 (drives NVMe 1, whose memory buffer is lent), 2002
(drives NVMe 2, which reaches that buffer) and 2003 (drives edu, which rings NVMe 1's doorbell); user 2004 is a guest
of whom the policy says nothing at first. Needs root; deploy/demo.sh prepares what it needs, in a virtual machine or
with --simulate.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from policy_step import reload_policy
from stage import PATIENCE, Client, Failure, KernelLog, P2pd, View, program
from transcript import Transcript, short

NVME1 = "devices/0000:01:00.0"
NVME2 = "devices/0000:02:00.0"
EXPORTER, IMPORTER, RINGER, STRANGER = 2001, 2002, 2003, 2004
WINDOW = 32 << 20
PIECES = 4  # of traffic, to be sure that it flows


class Scenario:
    def __init__(self, folder, options, transcript):
        self.folder = folder
        self.options = options
        self.tell = transcript
        self.kernel_log = None if options.simulate else KernelLog()
        self.p2pd = self.view = None
        self.clients = []
        self.exporter = self.importer = None
        self.window = None  # what the importer said of it: mapping, iova, length

    # ---- Help -----------------------------------------------------------------------------------------------

    def client(self, name, uid, *options):
        client = Client(self.p2pd, name, uid, *options)
        self.clients.append(client)
        return client

    def quiet(self, since):
        """The kernel log holds no fault."""
        if self.kernel_log is None:
            return
        faults = self.kernel_log.new_faults()
        self.tell.log([line for line, _, _ in faults])
        self.tell.check(not faults, f"no IOMMU fault in the kernel log {since}")

    def in_window(self, address):
        return self.window["iova"] <= address < self.window["iova"] + self.window["length"]

    def await_fault(self, provoke):
        """Provokes faults until the kernel logs one of NVMe 2 in the window: it logs ten in five seconds at most."""
        if self.kernel_log is None:
            return
        hits = []
        deadline = time.monotonic() + PATIENCE
        while not hits and time.monotonic() < deadline:
            provoke()
            hits = [line for line, device, address in self.kernel_log.new_faults()
                    if device == short(NVME2) and self.in_window(address)]
        self.tell.log(hits)
        self.tell.check(bool(hits), f"the IOMMU stopped {short(NVME2)} at an address of the window, and the kernel logged it")

    def foreign_words(self, seed):
        return self.exporter.ask(f"check seed={seed} length={WINDOW}", "checked", seed=seed)["foreign_words"]

    def reset_by_root(self):
        """`p2pctl reset`, which returns when the reset is over."""
        return subprocess.Popen([program("p2pctl"), *self.p2pd.sockets, "reset", short(NVME1)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def reset_receipt(self, generation):
        return self.view.await_receipt(lambda o: o["kind"] == "RESET" and int(o["generation"]) == generation)

    def party(self, receipt, client_session):
        return next((p["answer"] for p in receipt["parties"] if p["session"] == client_session), "not asked")

    def open_importer(self, *options):
        self.importer = self.client("p2p_copy", IMPORTER, *options)
        self.window = self.importer.expect("ready")
        return self.window

    def p2pctl(self, *arguments):
        """What `p2pctl --json` answers."""
        done = subprocess.run([program("p2pctl"), *self.p2pd.sockets, "--json", *arguments], capture_output=True,
                              text=True, check=False)
        if done.returncode not in (0, 4):  # 4: denied, which may be the answer
            raise Failure(f"p2pctl {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)

    # ---- The steps ------------------------------------------------------------------------------------------

    def start(self):
        self.tell.asked(f"p2pd as root{f', --simulate={self.options.simulate}' if self.options.simulate else ''}")
        self.p2pd = P2pd(self.folder, self.options.policy, self.options.simulate)
        self.view = View(self.p2pd)
        devices = [self.view.get(name) for name in self.view.names("devices/")]
        for device in devices:
            self.tell.did(f"{short(device['name'])}  {device['vendor_id']}:{device['device_id']}  {device['state']}, "
                          f"{'can' if device['can_reset'] else 'cannot'} be reset")
        self.tell.check(all(d["state"] == "READY" for d in devices) and len(devices) >= 3, "the devices are READY")

    def strangers(self):
        self.tell.asked(f"p2p_copy as user {STRANGER}, of whom no policy rule speaks: drive NVMe 2")
        refusal = self.client("p2p_copy", STRANGER).expect("failed")
        self.tell.did(refusal["message"])
        self.tell.check(refusal["code"] == "PERMISSION_DENIED" and refusal["reason"] == "POLICY",
                        "denied by policy, and told so")
        self.tell.asked(f"p2p_copy as user {RINGER}, who may drive another device: drive NVMe 2")
        refusal = self.client("p2p_copy", RINGER).expect("failed")
        self.tell.check(refusal["reason"] == "POLICY", "denied as well")
        shown = subprocess.run([program("p2pctl"), *self.p2pd.sockets, "--json", "device", "show", short(NVME2)],
                               capture_output=True, text=True, check=False)
        self.tell.check(json.loads(shown.stdout)["driver_session"] == "", "NVMe 2 has no driver")

    def drivers(self):
        self.tell.asked(f"cmb_exporter as user {EXPORTER}: drive NVMe 1, enable its memory buffer, say DeviceReady")
        self.exporter = self.client("cmb_exporter", EXPORTER)
        ready = self.exporter.expect("ready")
        self.tell.did(f"BAR {ready['bar']}, {ready['buffer_bytes'] >> 20} MiB of memory, generation {ready['generation']}")
        self.tell.asked(f"p2p_copy as user {IMPORTER}: drive NVMe 2, queues in a sealed memfd; map 32 MiB of that memory")
        window = self.open_importer()
        self.tell.did(f"{window['mapping']} of {window['export']} at IOVA {window['iova']:#x}")
        mapping = self.view.await_object(window["mapping"], state="ACTIVE")
        self.tell.check(int(mapping["length"]) == WINDOW, "32 MiB are mapped")
        for device in (NVME1, NVME2):
            self.view.await_object(device, state="READY")
        self.tell.check(True, "both devices are READY")

    def copy(self):
        self.tell.asked("NVMe 2: read 32 MiB of the disk straight into NVMe 1's memory, in commands of 128 KiB")
        read = self.importer.ask("copy", "read")
        self.tell.did(f"{read['bytes'] >> 20} MiB in {read['seconds']:.2f} s")
        self.tell.asked("NVMe 2: write them from there to another place of the disk")
        copied = self.importer.expect("copied")
        self.tell.did(f"{copied['bytes'] >> 20} MiB in {copied['seconds']:.2f} s")
        crc = self.exporter.ask(f"crc length={WINDOW}", "crc")["crc32"]
        self.tell.check(crc == self.options.source_crc,
                        f"NVMe 1's driver sees the disk's bytes in its memory: CRC-32 {crc:08x}, as the host computed it")
        self.quiet("while they moved")

    def doorbell(self):
        tail = self.exporter.ask("queue-identify", "queued")["tail"]
        self.tell.asked(f"cmb_exporter: queue an admin command, and ring no doorbell (the tail would be {tail})")
        ringer = self.client("doorbell_ringer", RINGER)
        ringer.expect("ready")
        self.tell.asked(f"doorbell_ringer as user {RINGER}: map the page of NVMe 1's doorbells for edu, have edu write {tail}")
        rung = ringer.ask(f"ring value={tail}", "rung")
        self.tell.did(f"{rung['export']} was mapped at IOVA {rung['iova']:#x}; edu wrote {rung['value']} there")
        identified = self.exporter.expect("identified")
        self.tell.check(bool(identified["serial"]), f"the command completed: I am \"{identified['serial']}\"")
        self.tell.check(ringer.end() == 0, "the ringer has ended, and with it its right to the doorbells")
        self.quiet("meanwhile")

    def c_client(self):
        self.tell.check(self.importer.end() == 0, "p2p_copy has ended in order")
        self.view.await_object(NVME2, state="READY", driver_session="")
        self.exporter.ask(f"fill seed=17 length={WINDOW}", "filled")
        self.tell.asked(f"c_copy as user {IMPORTER}, a client in C over libp2p.so.0: drive NVMe 2; the same 32 MiB through "
                        "NVMe 1's memory to a third place of the disk, and read them back from there")
        client = self.client("c_copy", IMPORTER)
        window = client.expect("ready")
        self.tell.did(f"{window['mapping']} of {window['export']} at IOVA {window['iova']:#x}")
        for way in ("read", "copied"):
            moved = client.expect(way)
            self.tell.did(f"{way}: {moved['bytes'] >> 20} MiB in {moved['seconds']:.2f} s")
        there = client.expect("verified")["crc32"]
        self.tell.check(there == self.options.source_crc, f"they are there: CRC-32 {there:08x}, as the host computed it")
        crc = self.exporter.ask(f"crc length={WINDOW}", "crc")["crc32"]
        self.tell.check(crc == self.options.source_crc, "and went through NVMe 1's memory, which held something else before")
        self.tell.check(client.end() == 0, "the C client has ended in order")
        self.view.await_object(NVME2, state="READY", driver_session="")
        self.quiet("meanwhile")
        self.open_importer()

    def dma_buf(self):
        def p2pctl(*words):
            command = [program("p2pctl"), *self.p2pd.sockets, *words]
            return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.tell.asked("p2pctl acquire --raw as root: a dma-buf of NVMe 1's memory; then p2pctl revoke, while it is held")
        holder = p2pctl("acquire", f"{short(NVME1)}/2/32M+1M", "--raw")
        export = self.view.wait("the export", lambda: next(
            (name for name, thing in self.view.objects.items()
             if name.startswith("exports/") and thing["session"] == holder and thing["grade"] == "RAW"), None))
        p2pctl("revoke", export, "--progress=never")
        lingers = self.view.await_object(export, state="LINGERING")
        self.tell.check(lingers["grade"] == "RAW", f"{export} is revoked, and LINGERING: {holder} has the dma-buf still")
        p2pctl("release", holder)
        gone = self.view.wait("the export's end", lambda: export not in self.view.objects)
        self.tell.check(gone, "it is gone once nobody holds it")

    def reset(self, by_root):
        self.importer.send("traffic")
        before = self.importer.traffic(lambda t: t["right"] >= PIECES)
        generation = int(self.view.get(NVME1)["generation"]) + 1
        if by_root:
            self.tell.asked("p2pctl reset as root, while NVMe 2 moves bytes through NVMe 1")
            command = self.reset_by_root()
            self.tell.check(command.wait(PATIENCE) == 0, "p2pctl says that it is done")
            self.exporter.expect("quiesced", generation=generation)
        else:
            self.tell.asked("cmb_exporter: reset NVMe 1, which it drives, while NVMe 2 moves bytes through it")
            self.exporter.ask("reset", "reset", generation=generation)
        receipt = self.reset_receipt(generation)
        self.tell.receipt(receipt)
        self.exporter.expect("ready", generation=generation)
        self.tell.did("NVMe 1's driver set it up anew, its memory buffer too, and said DeviceReady")
        resumed = self.importer.expect("resumed", generation=generation)
        after = self.importer.traffic(lambda t: t["right"] >= before["right"] + 2 * PIECES)
        self.importer.ask("stop", "stopped")
        session = self.window["session"]
        self.tell.check(self.party(receipt, session) == "ACKED", f"{session}, whose traffic it was, acknowledged in time")
        self.tell.check(resumed["mapping_state"] == "ACTIVE" and resumed["iova"] == self.window["iova"],
                        f"the mapping is back at {resumed['iova']:#x}, where it was")
        self.tell.check(after["wrong"] == after["failed"] == 0,
                        f"traffic goes on: {after['right']} pieces of 512 KiB, every byte right")
        self.quiet("before, during and after the reset")

    def cut_off(self):
        self.tell.check(self.importer.end() == 0, "the importer has ended in order")
        self.view.await_object(NVME2, state="READY", driver_session="")
        self.tell.asked(f"p2p_copy --ignore-quiesce as user {IMPORTER}: the same traffic, and no ear for p2pd")
        # One command at a time: this is the client that is killed, and QEMU 7.2 dies when its NVMe is reset while
        # several commands wait for a way to another device's memory.
        session = self.open_importer("--ignore-quiesce", "--queue-depth=1")["session"]
        self.importer.send("traffic")
        self.importer.traffic(lambda t: t["right"] >= PIECES)
        self.exporter.send(f"fill-at-set-up seed=11 length={WINDOW}")
        generation = int(self.view.get(NVME1)["generation"]) + 1
        self.tell.asked("p2pctl reset as root")
        command = self.reset_by_root()
        self.importer.expect("ignored")
        receipt = self.reset_receipt(generation)
        self.tell.receipt(receipt)
        self.tell.check(command.wait(PATIENCE) == 0, "p2pctl says that it is done")
        self.tell.check(self.party(receipt, session) == "FORCED", f"{session} was cut off at the deadline")
        mapping = self.view.get(self.window["mapping"])
        self.tell.check(mapping["state"] == "SUSPENDED", "its mapping is SUSPENDED: nobody vouches that it has stopped")
        self.exporter.expect("ready", generation=generation)
        self.tell.did("NVMe 1's driver filled the window with a pattern; NVMe 2 goes on reading into it, or tries to")
        first = self.importer.traffic()
        later = self.importer.traffic(lambda t: t["wrong"] + t["failed"] >= first["wrong"] + first["failed"] + PIECES)
        foreign = self.foreign_words(11)
        self.tell.check(foreign == 0, f"not one byte arrived: {WINDOW >> 20} MiB are as NVMe 1's driver left them")
        self.tell.check(later["right"] == first["right"],
                        f"no piece came out right any more: {later['wrong']} wrong, {later['failed']} failed")
        self.await_fault(self.importer.traffic)
        self.come_back()

    def come_back(self):
        """The client that was cut off acknowledges after all."""
        self.tell.asked("p2p_copy: acknowledge, late")
        self.importer.send("ack")
        back = self.view.await_object(self.window["mapping"], state="ACTIVE")
        self.tell.check(int(back["iova"]) == self.window["iova"], f"only now the mapping is back, at {int(back['iova']):#x}")
        now = self.importer.traffic()
        self.importer.traffic(lambda t: t["right"] >= now["right"] + PIECES)
        self.tell.check(self.foreign_words(11) > 0, "bytes arrive again")
        self.exporter.send("fill-at-set-up seed=0")
        if self.kernel_log is not None:
            self.kernel_log.new_lines()  # of the time before the mapping was back

    def killed(self):
        old = self.window
        now = self.importer.traffic()
        self.importer.traffic(lambda t: t["right"] > now["right"])
        self.tell.asked("kill -KILL to the driver of NVMe 2, in mid-transfer")
        self.importer.kill()
        receipt = self.view.await_receipt(lambda o: o["device"] == NVME2 and any(
            m["mapping"] == old["mapping"] for m in o["mappings"]))
        self.tell.receipt(receipt)
        steps = [s["what"].split(" ")[0] for s in receipt["steps"] if not s["error"]]
        self.view.await_object(NVME2, state="READY", driver_session="")
        self.tell.check(receipt["state"] == "SUCCEEDED" and {"bus", "unmap", "reset", "bind"} <= set(steps),
                        "NVMe 2 was quieted, unmapped, reset and bound afresh")
        left = [name for name in self.view.names("mappings/") if self.view.get(name)["session"] == old["session"]]
        self.tell.check(not left, "nothing of the session is mapped any more")
        self.next_driver(old)

    def next_driver(self, old):
        self.exporter.ask(f"fill seed=13 length={WINDOW}", "filled")
        second = self.client("p2p_copy", IMPORTER, "--no-window")
        ready = second.expect("ready")
        self.tell.asked(f"p2p_copy --no-window as user {IMPORTER} ({ready['session']}), which now drives NVMe 2: "
                        f"read into the old address {old['iova']:#x}, and write from it")
        length = 64 << 10
        probes = []

        def probe():
            probes.append(second.ask(f"probe iova={old['iova']} length={length}", "probed"))

        probe()
        self.tell.did(f"read: {probes[0]['stored']}; write: {probes[0]['fetched']}")
        self.await_fault(probe)
        self.tell.check(self.foreign_words(13) == 0, "not one byte arrived in NVMe 1's memory")
        there = self.exporter.ask(f"crc length={length}", "crc")["crc32"]
        self.tell.check(all(p["crc32"] != there for p in probes), "nor did one leave it")
        self.tell.check(second.end() == 0, "the second driver has ended in order")

    def end(self):
        self.tell.asked("everybody: end; then p2pd (SIGTERM)")
        self.tell.check(self.exporter.end() == 0, "the exporter has ended in order")
        for name in (NVME1, NVME2):
            self.view.await_object(name, state="READY", driver_session="")
        self.view.wait("the end of all grants", lambda: not self.view.names("exports/", "mappings/", "address-spaces/"))
        self.tell.check(True, "no grant is left")
        self.view.stop()
        self.tell.check(self.p2pd.stop() == 0, "p2pd has ended in order")
        if self.kernel_log is not None:
            complaints = self.kernel_log.complaints()
            self.tell.log(complaints)
            self.tell.check(not complaints, "the kernel never complained")

    def steps(self):
        return [
            ("p2pd starts and takes the devices", self.start),
            ("Whom no rule names gets nothing", self.strangers),
            ("An administrator allows it, and thinks better of it", lambda: reload_policy(self, STRANGER, NVME2)),
            ("Two users become drivers; NVMe 2 gets a window of NVMe 1", self.drivers),
            ("32 MiB from NVMe 2's disk through NVMe 1's memory and back", self.copy),
            ("A device rings another device's doorbell", self.doorbell),
            ("The same copy by a client in C", self.c_client),
            ("A dma-buf in a client's hands cannot be taken back", self.dma_buf),
            ("NVMe 1's driver resets it while bytes move through it", lambda: self.reset(by_root=False)),
            ("Root resets it while bytes move through it", lambda: self.reset(by_root=True)),
            ("A client that does not stop is cut off", self.cut_off),
            ("The driver of NVMe 2 is killed in mid-transfer", self.killed),
            ("The end", self.end),
        ]

    def play(self):
        for title, step in self.steps():
            with self.tell.step(title):
                step()

    def clean_up(self):
        for what in [*self.clients, self.view, self.p2pd]:
            if what is not None and what.process.poll() is None:
                what.process.kill()
                what.process.wait()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True, metavar="FILE")
    parser.add_argument("--source-crc", type=int, required=True, metavar="N", help="of the disk's source area")
    parser.add_argument("--simulate", metavar="FILE", help="play on this simulated machine")
    return parser.parse_args()


def place(file, folder):
    """A copy that p2pd may trust: root's, and nobody else's to write."""
    target = os.path.join(folder, os.path.basename(file))
    shutil.copyfile(file, target)
    os.chmod(target, 0o644)
    return target


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("scenario.py: must be root, to run the clients as users of their own")
    transcript = Transcript()
    with tempfile.TemporaryDirectory(prefix="p2pd-demo-", dir="/run") as folder:
        os.chmod(folder, 0o755)
        options.policy = place(options.policy, folder)
        scenario = Scenario(folder, options, transcript)
        try:
            scenario.play()
        except Failure:
            pass  # It is in the transcript.
        finally:
            scenario.clean_up()
        fine = transcript.summary(len(scenario.steps()))
        if not fine:
            for name in sorted(os.listdir(folder)):
                if name.endswith(".log"):
                    with contextlib.suppress(OSError), open(os.path.join(folder, name), errors="replace") as log:
                        print(f"\n{name}:\n" + "".join(log.readlines()[-30:]), flush=True)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
