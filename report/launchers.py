"""What is known of programs that run other programs: which of their words are options, and which options take the next word too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ("INTERPRETERS", "KNOWN_AS", "LAUNCHERS", "LOADER", "OF_LOADER", "ROLES", "RUNNERS", "Interpreter", "Launcher", "Runner",
           "option_of")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True)
class Launcher:
    """A program that runs the command it is given: options, some words of its own, then the command."""

    valued: frozenset[str] = frozenset()  # options that take the next word
    refused: frozenset[str] = frozenset()  # options with which it runs nothing
    own: int = 0  # words before the command
    assignments: bool = False  # NAME=VALUE before the command
    splits: bool = False  # -S: a command in one word


@dataclass(frozen=True)
class Interpreter:
    """A program that runs a script, or what stands in one of its arguments."""

    code: frozenset[str] = frozenset()  # options that a piece of a program follows
    module: frozenset[str] = frozenset()  # options that the name of what is run follows
    valued: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    attached: str = ""  # one-letter options whose value, if any, is in the same word
    clustered: bool = True  # one-letter options may share a word
    shell: bool = False  # options may start with +, and what -c runs comes after all options
    files: bool = False  # what follows a ``module`` option is a file or a class
    subcommands: frozenset[str] = frozenset()  # words that may stand before the script
    tasks: bool = False  # a word that is no file is a task: see RUNNERS


@dataclass(frozen=True)
class Runner:
    """A tool whose first words say what it does: "npm run build"."""

    verbs: frozenset[str] = frozenset()  # words that the name of what is run follows
    valued: frozenset[str] = frozenset()


LOADER = re.compile(r"ld(?:-linux|-musl)?[\w.-]*\.so(?:\.\d+)?")  # ld-linux-x86-64.so.2, ld-musl-aarch64.so.1, ld.so
OF_LOADER = Launcher(_words("--library-path --preload --audit --argv0 --inhibit-rpath --glibc-hwcaps-prepend --glibc-hwcaps-mask"),
                     _words("--list --verify"))

_PLAIN = Launcher()

LAUNCHERS = {
    **dict.fromkeys(("busybox", "toybox", "nohup", "setsid", "unbuffer", "ccache", "sccache", "distcc", "dbus-run-session", "dumb-init", "catatonit",
                     "valgrind", "rlwrap", "torsocks", "setpriv", "systemd-inhibit", "setarch", "linux64", "command"), _PLAIN),
    "env": Launcher(_words("-u --unset -C --chdir"), assignments=True, splits=True),
    "sudo": Launcher(_words("-u --user -g --group -h --host -p --prompt -C --close-from -D --chdir -R --chroot -T --command-timeout -r --role "
                            "-t --type -U --other-user"), _words("-l --list -v --validate -e --edit -K -k"), assignments=True),
    "doas": Launcher(_words("-u -C")),
    "timeout": Launcher(_words("-s --signal -k --kill-after"), own=1),
    "nice": Launcher(_words("-n --adjustment")),
    "ionice": Launcher(_words("-c --class -n --classdata"), _words("-p --pid -P -u")),
    "chrt": Launcher(_words("-T -P -D"), _words("-p --pid -m"), own=1),
    "taskset": Launcher(refused=_words("-p --pid"), own=1),
    "stdbuf": Launcher(_words("-i --input -o --output -e --error")),
    "time": Launcher(_words("-f --format -o --output")),
    "fakeroot": Launcher(_words("-l --lib -s -i -b --fd-base")),
    "faketime": Launcher(_words("-p"), own=1),
    "xvfb-run": Launcher(_words("-n --server-num -s --server-args -e --error-file -f --auth-file -p --xauth-protocol -w --wait")),
    "flock": Launcher(_words("-w --timeout -E --conflict-exit-code"), _words("-c --command"), own=1),
    "unshare": Launcher(_words("-S --setuid -G --setgid -R --root -w --wd")),
    "nsenter": Launcher(_words("-t --target -S --setuid -G --setgid")),
    "chroot": Launcher(own=1),
    "runuser": Launcher(_words("-u --user -g --group -G --supp-group"), _words("-c --command -l --login -")),
    **dict.fromkeys(("gosu", "su-exec"), Launcher(own=1)),
    "tini": Launcher(_words("-p -e")),
    "strace": Launcher(_words("-e -o -s -u -E -I -O -S -P -X -a -b"), _words("-p")),
    "ltrace": Launcher(_words("-e -o -s -u -l -x -a -n"), _words("-p")),
    "xargs": Launcher(_words("-n -P -I -L -d -s -a -E --max-args --max-procs --max-lines --delimiter --max-chars --arg-file")),
    "numactl": Launcher(_words("-i -N -C -m -p -w"), _words("-s -H --show --hardware")),
    "cgexec": Launcher(_words("-g")),
    "sshpass": Launcher(_words("-p -f -d -P")),
}

_PYTHON = Interpreter(_words("-c"), _words("-m"), _words("-W -X --check-hash-based-pycs"), _words("-V --version -h --help"))
_SHELL = Interpreter(_words("-c"), valued=_words("-o +o -O +O --rcfile --init-file"), refused=_words("-s --version --help"), shell=True)
_NODE = Interpreter(
    _words("-e --eval -p --print -pe"), valued=_words("-r --require --import --loader --experimental-loader -C --conditions --title --env-file "
                                                      "--inspect-port --input-type --stack-trace-limit"),
    refused=_words("-v --version -h --help -i --interactive"), clustered=False, subcommands=_words("inspect"))
_JAVA = Interpreter(
    module=_words("-jar -m --module"),
    valued=_words("-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports --add-reads "
                  "--limit-modules --upgrade-module-path --source"),
    refused=_words("-version --version -help --help"), clustered=False, files=True)

# By the program's name without its version.
INTERPRETERS = {
    **dict.fromkeys(("python", "pypy", "pythonw"), _PYTHON),
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish"), _SHELL),
    **dict.fromkeys(("node", "nodejs"), _NODE),
    "bun": Interpreter(_words("-e --eval -p --print"), valued=_words("-r --preload --cwd -c --config --env-file"), refused=_words("-v --version"),
                       clustered=False, subcommands=_words("run"), tasks=True),
    "deno": Interpreter(valued=_words("-c --config --import-map --lock --location --seed --ext --cert"), refused=_words("-V --version"),
                        clustered=False, subcommands=_words("run"), tasks=True),
    "dotnet": Interpreter(clustered=False, subcommands=_words("exec"), tasks=True),
    "perl": Interpreter(_words("-e -E"), valued=_words("-I"), refused=_words("-v -V"), attached="iMm0FxDlCd"),
    "ruby": Interpreter(_words("-e"), valued=_words("-r -I -C -E"), refused=_words("-v --version"), attached="iWKT0Fx"),
    "php": Interpreter(_words("-r -B -R -E"), _words("-f --file"), _words("-d -c -z -t -S"), _words("-v -i -m"), files=True),
    "lua": Interpreter(_words("-e"), valued=_words("-l"), refused=_words("-i -v")),
    "julia": Interpreter(_words("-e --eval -E --print"), valued=_words("-p -t -J -L")),
    "Rscript": Interpreter(_words("-e"), clustered=False),
    **dict.fromkeys(("java", "javaw"), _JAVA),
    **dict.fromkeys(("mono", "tclsh", "wish", "expect", "gjs", "escript"), Interpreter(_words("-c"), clustered=False)),
}

_OF_UV = _words("--directory --project -p --python --with --with-requirements --from --extra --group --index-url --config-file")

RUNNERS = {
    "npm": Runner(_words("run run-script exec x"), _words("--prefix -w --workspace -C")),
    "npx": Runner(valued=_words("-p --package")),
    "pnpm": Runner(_words("run exec dlx"), _words("-C --dir --filter -F")),
    "pnpx": Runner(),
    "yarn": Runner(_words("run exec dlx"), _words("--cwd")),
    "bun": Runner(_words("run x"), _words("--cwd --filter")),
    "bunx": Runner(valued=_words("-p --package")),
    "deno": Runner(_words("run task")),
    "dotnet": Runner(_words("tool")),
    "uv": Runner(_words("run pip tool"), _OF_UV),
    "uvx": Runner(valued=_OF_UV),
    "poetry": Runner(_words("run"), _words("-C --directory -P --project")),
    "pipenv": Runner(_words("run")),
    "pdm": Runner(_words("run"), _words("-p --project")),
    "hatch": Runner(_words("run"), _words("-e --env")),
    "rye": Runner(_words("run")),
    "pipx": Runner(_words("run"), _words("--spec --python")),
}

# Scripts that are the body of a tool of another name.
KNOWN_AS = {"npm-cli.js": "npm", "npx-cli.js": "npx", "yarn.js": "yarn", "pnpm.cjs": "pnpm", "pnpx.cjs": "pnpx", "corepack.js": "corepack"}

# What the processes of a browser, or of a program made of one, are told to be.
ROLES = _words("renderer gpu-process utility zygote broker crashpad-handler ppapi plugin worker")


def option_of(word: str, tables: Sequence[frozenset[str]], attached: str = "", clustered: bool = True) -> tuple[int, str | None]:
    """Which of the tables an option is in, -1 for none; and its value, None if that can only be the next word."""
    name, equals, value = word.partition("=")
    for which, table in enumerate(tables):
        if word in table:
            return which, None
        if equals and name in table:
            return which, value
    if clustered and not word.startswith("--"):
        for place, letter in enumerate(word[1:], 2):
            if letter in attached:
                break
            for which, table in enumerate(tables):
                if word[0] + letter in table:
                    return which, word[place:] or None
    return -1, None
