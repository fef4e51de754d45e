"""The commands by which root puts an installation in its place, and takes it away again: `install.sh`."""

from collections.abc import Sequence
from shlex import quote

from voicegate.cli.install_files import AUDIO_GROUP, CLIENT_GROUP, Answers, Pbx, includes

_HEAD = "#!/bin/sh\n# {what} Read it, then run it as root: sh {file}\nset -eu\n\n"


def install_script(answers: Answers) -> str:
    """Return the script that makes user, groups and folders, and installs the unit."""
    systemd = answers.folder / "systemd"
    lines = [f"systemd-sysusers {quote(str(systemd / 'sysusers.conf'))}", *_memberships(answers)]
    if not answers.is_credential:
        lines.append(f"chown voicegate {quote(str(answers.secret))}")
    lines += [
        f"install -d -o voicegate -g voicegate -m 0700 {quote(str(answers.state))}",
        f"install -m 0644 {quote(str(systemd / 'tmpfiles.conf'))} /etc/tmpfiles.d/voicegate.conf",
        "systemd-tmpfiles --create voicegate.conf",
        f"install -m 0644 {quote(str(systemd / 'voicegate.service'))} /etc/systemd/system/voicegate.service",
        "systemctl daemon-reload",
    ]
    if answers.is_local:
        private = "freeswitch/directory.xml" if answers.pbx is Pbx.FREESWITCH else "asterisk/manager.conf"
        lines.append(f"chgrp {quote(answers.pbx_user)} {quote(str(answers.folder / private))}")
    what = "Makes Voicegate's user, groups and folders, and installs its unit; touches no file of the PBX."
    return _HEAD.format(what=what, file=answers.folder / "install.sh") + "\n".join(lines) + "\n"


def uninstall_script(answers: Answers) -> str:
    """Return the script that undoes `install_script`; what has data or secrets stays."""
    run = answers.run
    lines = [
        "systemctl disable --now voicegate",
        "rm -f /etc/systemd/system/voicegate.service /etc/tmpfiles.d/voicegate.conf",
        "systemctl daemon-reload",
        f"rm -rf {quote(f'{run}/voicegate')} {quote(f'{run}/voicegate-audio')}",
        "",
        "# What stays, and how it goes, for good:",
        f"#   rm -r {quote(str(answers.state))}    # database, key file, recordings",
        f"#   rm -r {quote(str(answers.folder))}    # settings, secrets; first the PBX's lines about it",
        "#   userdel voicegate",
        f"#   groupdel {AUDIO_GROUP}; groupdel {CLIENT_GROUP}",
    ]
    what = "Stops Voicegate and removes its unit and its folders in memory."
    return _HEAD.format(what=what, file=answers.folder / "uninstall.sh") + "\n".join(lines) + "\n"


def next_steps(answers: Answers) -> Sequence[str]:
    """Return what the admin does next, one step each."""
    folder, command = answers.folder, f"voicegate --config {answers.config}"
    steps = [f"as root: sh {folder / 'install.sh'}    # makes user, groups, folders and unit; read it first"]
    lines = includes(answers)
    if lines and not answers.is_local:
        steps.append(f"copy {folder}/asterisk to the PBX, as /etc/asterisk/voicegate")
    steps += [f"in the PBX's {file}, {_place(file)}: {line}" for file, line in lines]
    if lines:
        steps.append(
            'asterisk -rx "dialplan reload"; asterisk -rx "manager reload"; asterisk -rx "pjsip reload"'
        )
    else:
        steps.append(f"merge the files of {folder}/freeswitch into FreeSWITCH's; each says where and how")
    steps += [
        f"restart the PBX, so that its user {answers.pbx_user} gets its new group",
        f"{_as_daemon(answers)} {command} doctor    # what is wrong, and how to fix it",
        "systemctl enable --now voicegate",
    ]
    return steps


def _as_daemon(answers: Answers) -> str:
    """Return what runs a command as the daemon runs, who alone gets a credential."""
    if not answers.is_credential:
        return "runuser -u voicegate --"
    credential = f"LoadCredential={answers.pbx.secret_name}:{answers.secret}"
    return f"systemd-run --pipe --wait --quiet --property User=voicegate --property {credential}"


def _memberships(answers: Answers) -> Sequence[str]:
    found = []
    if answers.audio_group == AUDIO_GROUP:
        found.append((AUDIO_GROUP, answers.pbx_user))
    elif answers.audio_group:
        found.append((answers.audio_group, "voicegate"))
    if answers.backend_user:
        found.append((answers.socket_group or CLIENT_GROUP, answers.backend_user))
    return [f"usermod --append --groups {quote(group)} {quote(user)}" for group, user in found]


def _place(file: str) -> str:
    return "as its first line" if file.startswith("extensions") else "as its last line"
