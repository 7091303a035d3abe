"""A step of the demonstration: the administrator changes the policy while p2pd runs, and changes it back."""

import os


def guest_rules(uid):
    return f"""
rule {{ name: "guest drives NVMe 2" effect: ALLOW action: DRIVE
       subject {{ user: "{uid}" }} exporter {{ bdf: "0000:02:00.0" }} }}
rule {{ name: "guest maps its memory for NVMe 2" effect: ALLOW action: MAP_MEMORY
       subject {{ user: "{uid}" }} importer {{ bdf: "0000:02:00.0" }} }}
rule {{ name: "guest gets windows of NVMe 1's buffer" effect: ALLOW action: EXPORT
       subject {{ user: "{uid}" }} exporter {{ bdf: "0000:01:00.0" bar: 2 }} }}
rule {{ name: "guest maps them for NVMe 2" effect: ALLOW action: MAP
       subject {{ user: "{uid}" }} exporter {{ bdf: "0000:01:00.0" bar: 2 }} importer {{ bdf: "0000:02:00.0" }}
       unsupported_path: true }}
"""


def write_policy(path, text):
    """As an administrator should: a new file takes the old one's place in one step."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.rename(file.name, path)


def reload_policy(scenario, guest_uid, guest_device):
    """The guest is denied; is allowed after a reload; is cut off by the next."""
    tell, path = scenario.tell, scenario.options.policy
    with open(path, encoding="utf-8") as file:
        policy = file.read()
    question = ["policy", "explain", "MAP", f"--user={guest_uid}", "--window=01:00.0/2+32M", "--importer=02:00.0"]
    tell.asked(f"p2pctl {' '.join(question)}")
    before = scenario.p2pctl(*question)
    tell.did(before["reason"])
    tell.check(not before["allowed"], "the refusal names the nearest rule, and what the request lacks")

    tell.asked(f"the administrator adds rules for user {guest_uid}; p2pctl policy reload")
    write_policy(path, policy + guest_rules(guest_uid))
    reloaded = scenario.p2pctl("policy", "reload")
    after = scenario.p2pctl(*question)
    tell.did(after["reason"])
    tell.did("path: " + next(fact["value"] for fact in after["facts"] if fact["name"] == "path"))
    tell.check(after["allowed"] and int(reloaded["fallen_count"]) == 0, "it is allowed, and nobody lost anything")
    guest = scenario.client("p2p_copy", guest_uid)
    ready = guest.expect("ready")
    scenario.view.await_object(ready["mapping"], state="ACTIVE")
    tell.check(True, f"user {guest_uid} drives NVMe 2, and has {ready['mapping']} of NVMe 1's memory")

    tell.asked("the administrator takes the rules away again: --dry-run first, then the reload")
    write_policy(path, policy)
    for fallen in scenario.p2pctl("policy", "reload", "--dry-run")["fallen"]:
        tell.did(f"{fallen['object']}: {fallen['reason']}")
    scenario.view.await_object(ready["mapping"], state="ACTIVE")
    reloaded = scenario.p2pctl("policy", "reload")
    receipt = scenario.view.await_receipt(lambda o: o["name"] == reloaded["operation"])
    tell.receipt(receipt)
    # The guest may have given its window back itself, when it was asked to stop.
    left = [name for name in scenario.view.names("mappings/")
            if scenario.view.get(name)["session"] == ready["session"]]
    tell.check(receipt["kind"] == "POLICY" and not left, f"{receipt['name']} has cut it off")
    guest.kill()
    scenario.view.await_object(guest_device, state="READY", driver_session="")
    tell.check(True, "NVMe 2 is READY for the next driver")
