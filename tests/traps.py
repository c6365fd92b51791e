# SPDX-License-Identifier: GPL-2.0
"""A git repository that starts a program wherever git can be made to.

Each trap writes a file of its own into a folder, so that a test can tell which one was sprung.
"""

from pathlib import Path

HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit"),
    *("prepare-commit-msg", "commit-msg", "post-commit", "pre-rebase", "post-checkout"),
    *("post-merge", "pre-push", "pre-receive", "update", "proc-receive", "post-receive"),
    *("post-update", "reference-transaction", "push-to-checkout", "pre-auto-gc", "post-rewrite"),
    *("sendemail-validate", "fsmonitor-watchman", "post-index-change"),
)
PROGRAMS = {
    "core.fsmonitor": "fsmonitor",
    "core.sshCommand": "ssh",
    "core.gitProxy": "proxy",
    "core.pager": "pager",
    "core.editor": "editor",
    "core.askPass": "askpass",
    "core.alternateRefsCommand": "alternates",
    "diff.external": "external-diff",
    "diff.trap.textconv": "textconv",
    "diff.trap.command": "diff-command",
    "filter.trap.clean": "clean",
    "filter.trap.smudge": "smudge",
    "filter.trap.process": "process",
    "merge.trap.driver": "merge",
    "interactive.diffFilter": "diff-filter",
    "gpg.program": "gpg",
    "gpg.ssh.program": "gpg-ssh",
    "credential.helper": "credential",
    "uploadpack.packObjectsHook": "pack-objects",
    "remote.origin.uploadpack": "remote-uploadpack",
    "remote.origin.receivepack": "remote-receivepack",
    "trailer.trap.command": "trailer",
    "sendemail.smtpServer": "sendmail",
    "sendemail.toCmd": "to",
    "sequence.editor": "sequence",
    "pager.status": "pager-status",
    "pager.log": "pager-log",
    "man.viewer": "man",
    "submodule.nested.update": "submodule",
}
SETTINGS = {
    "filter.trap.required": "true",
    "core.hooksPath": "{folder}/hooks",
    "init.templateDir": "{folder}/template",
    "remote.origin.url": "ext::touch {folder}/sprung/helper",
    "commit.gpgSign": "true",
    "submodule.recurse": "true",
    "status.submoduleSummary": "true",
    "core.splitIndex": "true",
    "core.untrackedCache": "true",
    "gc.auto": "1",
    "maintenance.auto": "true",
    "protocol.ext.allow": "always",
}
ALIASES = ("status", "rev-parse", "fetch", "ls-files", "ls-tree", "describe", "config")
ATTRIBUTES = "* filter=trap diff=trap merge=trap ident text eol=crlf\n"


class Traps:
    """The folder of the traps and of what they left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sprung").mkdir(parents=True)
        (folder / "hooks").mkdir()
        (folder / "template/hooks").mkdir(parents=True)
        for hook in HOOKS:
            self._write(folder / "hooks" / hook, f"hook-{hook}")
            self._write(folder / "template/hooks" / hook, f"template-{hook}")

    @property
    def sprung(self) -> set[str]:
        """The names of the traps that something has started."""
        return {path.name for path in (self.folder / "sprung").iterdir()}

    def program(self, name: str) -> str:
        """A program that tells that it was started, and otherwise does what `cat` does."""
        return str(self._write(self.folder / f"program-{name}", name))

    def settings(self) -> dict[str, str]:
        """What a configuration that starts all of it says."""
        programs = {key: self.program(name) for key, name in PROGRAMS.items()}
        others = {key: value.format(folder=self.folder) for key, value in SETTINGS.items()}
        aliases = {f"alias.{name}": f"!{self.program(f'alias-{name}')}" for name in ALIASES}
        return {**programs, **others, **aliases}

    def arm_file(self, config: Path) -> None:
        """Write it all at the end of a file that is read by git."""
        with config.open("a") as file:
            for name, value in self.settings().items():
                section, _, rest = name.partition(".")
                subsection, _, key = rest.rpartition(".")
                head = f'{section} "{subsection}"' if subsection else section
                file.write(f'[{head}]\n\t{key} = "{value}"\n')

    def arm(self, repository: Path, git_folder: Path | None = None) -> None:
        """Arm a repository: its configuration, a file that it includes, its hooks, its attributes.

        What git was asked to do before is undone by nothing: the work tree stays as it is.
        """
        place = git_folder or repository / ".git"
        self.arm_file(self.folder / "included.config")
        self.arm_file(place / "config")
        with (place / "config").open("a") as file:
            file.write(f'[include]\n\tpath = "{self.folder}/included.config"\n')
        (place / "hooks").mkdir(exist_ok=True)
        (place / "info").mkdir(exist_ok=True)
        for hook in HOOKS:
            self._write(place / "hooks" / hook, f"own-hook-{hook}")
        (place / "info/attributes").write_text(ATTRIBUTES)

    def environment(self) -> dict[str, str]:
        """Variables of git's that start programs, and a home whose configuration does."""
        return {
            "GIT_EXTERNAL_DIFF": self.program("env-diff"),
            "GIT_SSH_COMMAND": self.program("env-ssh"),
            "GIT_PROXY_COMMAND": self.program("env-proxy"),
            "GIT_ASKPASS": self.program("env-askpass"),
            "GIT_PAGER": self.program("env-pager"),
            "GIT_EDITOR": self.program("env-editor"),
            "GIT_TEMPLATE_DIR": str(self.folder / "template"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.fsmonitor",
            "GIT_CONFIG_VALUE_0": self.program("env-fsmonitor"),
            "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={self.program('env-parameters')}'",
            "GIT_QUARANTINE_PATH": str(self.folder),
            "GIT_DEFAULT_HASH": "sha256",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_DIFF_OPTS": "-u0",
            "GIT_SHALLOW_FILE": str(self.folder / "none"),
        }

    def _write(self, file: Path, name: str) -> Path:
        file.write_text(f"#!/bin/sh\ntouch {self.folder}/sprung/{name}\ncat\n")
        file.chmod(0o755)
        return file
