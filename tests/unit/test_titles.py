import random
import shlex
import time

import pytest

from report.titles import title, titled

SCRIPTS = [
    ("python3 /usr/bin/foo.py -x", "foo.py"), ("/usr/bin/python3.11 -u -W ignore /opt/a/tool.py", "tool.py"), ("python3 -Wignore -Xdev t.py", "t.py"),
    ("python3 -m http.server", "http.server (python3 -m)"), ("python -Im pip install x", "pip (python -m)"), ("pypy3 -mpytest -q",
    "pytest (pypy3 -m)"),
    ("python3 -c 'import os; os.sync()' a", "python3 -c 'import os; os.sync()'"), ("python3 -", "python3"), ("python3", "python3"),
    ("python3 --version", "python3"), ("python3 -m", "python3"), ("python3 -- -odd.py", "-odd.py"), ("python3 /srv/app/__main__.py", "app"),
    ("python3 /srv/shop/main.py", "shop/main.py"), ("python3 main.py", "main.py"), ("python3 ./main.py", "main.py"), ("python3 /srv/app/", "app"),
    ("/bin/sh -c 'make -j4'", "sh -c 'make -j4'"), ("bash script.sh", "script.sh"), ("bash -euo pipefail /ci/build.sh prod", "build.sh"),
    ("bash -lc 'npm  test\n'", "bash -lc 'npm test'"), ("sh -c -e 'true'", "sh -c 'true'"), ("bash -o pipefail -ec 'a | b' x y", "bash -ec 'a | b'"),
    ("bash --norc -i", "bash"), ("sh -s one two", "sh"), ("sh -c", "sh"), ("zsh +x /a/b.zsh", "b.zsh"), ("-bash", "-bash"), ("-zsh", "-zsh"),
    ("node /x/node_modules/.bin/eslint --fix .", "eslint"), ("node --max-old-space-size=4096 -r dotenv/config x.js", "x.js"),
    ("node -e 'console.log(1)'", "node -e 'console.log(1)'"), ("node --eval=1+1", "node --eval '1+1'"), ("nodejs inspect x.js", "x.js"),
    ("node /a/node_modules/@scope/tool/dist/index.js x", "@scope/tool"), ("node /a/node_modules/vite/bin/vite.js", "vite.js"),
    ("node /repo/server/index.js", "server/index.js"), ("node", "node"),
    ("perl x.pl", "x.pl"), ("perl -ne 'print if /x/' f", "perl -ne 'print if /x/'"), ("perl -w -MList::Util=sum -I lib t/a.t", "a.t"),
    ("perl -i.bak -pe s/e/c/ f", "perl -pe 's/e/c/'"), ("perl -Mexpm x.pl", "x.pl"), ("perl -eprint f", "perl -e 'print'"),
    ("ruby -r bundler/setup -Ilib x.rb", "x.rb"), ("ruby3.1 -W0 x.rb", "x.rb"), ("php -d a=b x.php", "x.php"), ("php -f /w/x.php", "x.php"),
    ("php -S localhost:80 -t public", "php"), ("lua5.4 x.lua", "x.lua"), ("Rscript --vanilla x.R", "x.R"), ("julia -t 4 x.jl", "x.jl"),
    ("java -jar /opt/x.jar -v", "x.jar"), ("java -Xmx1g -cp a.jar:b.jar com.foo.Main --port 1", "com.foo.Main"),
    ("java --module-path m -m app/com.foo.Main", "com.foo.Main"), ("java -version", "java"),
    ("deno run --allow-net x.ts", "x.ts"), ("deno run -A ./x.ts", "x.ts"), ("deno task dev", "deno task dev"), ("deno test", "deno test"),
    ("bun x.ts", "x.ts"), ("bun run ./x.ts", "x.ts"), ("bun run build", "bun run build"), ("bun install", "bun install"), ("bunx cowsay",
    "bunx cowsay"),
    ("dotnet /app/x.dll", "x.dll"), ("dotnet exec x.dll", "x.dll"), ("dotnet build", "dotnet build"),
]

TOOLS = [
    ("npm run build", "npm run build"), ("node /usr/bin/npm run build --silent", "npm run build"), ("npm --prefix web run build", "npm run build"),
    ("node /usr/lib/node_modules/npm/bin/npm-cli.js install", "npm install"), ("npx foo", "npx foo"), ("npx -y foo --x", "npx foo"), ("npm", "npm"),
    ("uv run x", "uv run x"), ("uv --directory d run --with rich /p/x.py", "uv run x.py"), ("uvx ruff check", "uvx ruff"),
    ("/usr/bin/python3 /usr/bin/poetry run pytest -q", "poetry run pytest"), ("pnpm dlx create", "pnpm dlx create"), ("yarn", "yarn"),
    ("'npm run build'", "npm run build"), ("'npm exec @scope/tool'", "npm exec @scope/tool"),
]

LAUNCHED = [
    ("env FOO=1 BAR= node x.js", "x.js"), ("env -i -u A PATH=/bin ls", "ls"), ("/usr/bin/env -S node --flag x.js", "x.js"),
    ("env '-S deno run -A' x.ts", "x.ts"), ("env", "env"), ("env FOO=1", "env"), ("env -- A=1 ls", "ls"),
    ("sudo -u x CMD", "CMD"), ("sudo -nu x -- /bin/ls -l", "ls"), ("sudo FOO=1 ls", "ls"), ("sudo -l", "sudo"), ("sudo -v", "sudo"),
    ("timeout 5 CMD", "CMD"), ("timeout -k 1 -s KILL 5 CMD x", "CMD"), ("timeout -s9 5 python3 -m x", "x (python3 -m)"), ("timeout 5", "timeout"),
    ("nice -n 5 CMD", "CMD"), ("nice -5 CMD", "CMD"), ("nice CMD", "CMD"), ("xargs grep -l x", "grep"), ("xargs -0 -n 1 -P4 sh -c 'a b'",
    "sh -c 'a b'"),
    ("xargs", "xargs"), ("busybox ls", "ls"), ("/bin/busybox sh -c true", "sh -c 'true'"), ("busybox", "busybox"), ("stdbuf -oL -e 0 grep x", "grep"),
    ("/lib64/ld-linux-x86-64.so.2 /bin/ls", "ls"), ("/lib/ld-musl-aarch64.so.1 --library-path /l --argv0 q /bin/ls", "ls"),
    ("/lib64/ld-linux-x86-64.so.2 --list /bin/ls", "ld-linux-x86-64.so.2"), ("nohup setsid nice env A=1 timeout 1 bash x.sh", "x.sh"),
    ("chrt -f 10 CMD", "CMD"), ("chrt -p 1 2", "chrt"), ("taskset -c 0,1 CMD", "CMD"), ("flock -n /tmp/l CMD", "CMD"), ("flock /tmp/l -c 'a b'",
    "-c"),
    ("strace -f -o /tmp/o CMD", "CMD"), ("strace -p 1", "strace"), ("tini -s -- CMD", "CMD"), ("gosu user CMD", "CMD"), ("ccache gcc -c x.c", "gcc"),
]

OTHERS = [
    ("/opt/google/chrome/chrome --type=renderer --lang=de", "chrome renderer"), ("electron --no-sandbox --type=gpu-process", "electron gpu-process"),
    ("'/opt/google/chrome/chrome --type=zygote --x'", "chrome zygote"), ("mount --type=ext4 /dev/sda /mnt", "mount"),
    ("'sshd: user [priv]'", "sshd: user [priv]"), ("'nginx: master process /usr/sbin/nginx' ''", "nginx: master process /usr/sbin/nginx"),
    ("'postgres: writer process'", "postgres: writer process"), ("/usr/bin/find / -name x", "find"), ("'/opt/My Program/run me' x", "run me"),
    ("./configure", "configure"), ("gcc-12 -O2", "gcc-12"), ("/", "/"), ("python3x a.py", "python3x"), ("[", "["), ("'[kworker/0:1]'", "0:1]"),
]


@pytest.mark.parametrize(("line", "expected"), SCRIPTS + TOOLS + LAUNCHED + OTHERS)
def test_titles(line: str, expected: str) -> None:
    assert title(shlex.split(line)) == expected


def test_a_script_is_called_by_its_file_whatever_runs_it() -> None:
    assert title(["/opt/odd/interp", "-x", "/usr/bin/tool", "one"], "/usr/bin/tool", "/opt/odd/interp") == "tool"
    assert title(["/usr/bin/env", "node", "/usr/bin/npm", "run", "x"], "/usr/bin/npm", "/usr/bin/env") == "npm run x"
    assert title(["/bin/sh", "-e", "./a.sh"], "./a.sh", "/bin/sh") == "a.sh"
    assert title(["/opt/odd/interp", "./b/tool", "one"], "/home/me/b/tool", "/opt/odd/interp") == "tool"
    assert title(["renamed", "a"], "/usr/bin/tool", "/opt/odd/interp") == "renamed"


def test_without_arguments_the_file_or_the_short_name_has_to_do() -> None:
    assert title([], "/usr/bin/ls", None, "ls") == "ls"
    assert title([""], None, None, "kthread") == "kthread"
    assert title(["", "x"], "/proc/self/exe", "/proc/self/exe", "me") == "exe"
    assert title([]) == "?"


@pytest.mark.parametrize(("line", "name", "rest"), [
    ("/usr/bin/find / -name x", "find", "/ -name x"), ("python3 -u /a/foo.py -x y", "foo.py", "-x y"), ("sudo -u x sh -c 'a b'", "sh", "-c 'a b'"),
    ("python3 -m http.server 80", "http.server", "80"), ("npm run build --silent", "npm run build", "--silent"), ("env -S 'node -x' a.js b",
    "a.js", "b"),
    ("chrome --type=renderer --x", "chrome renderer", "--type=renderer --x"), ("perl -ne print f", "perl", "-ne print f"),
])
def test_what_is_left_to_tell(line: str, name: str, rest: str) -> None:
    argv = shlex.split(line)
    found = titled(argv)
    assert (found.name, shlex.join(found.arguments)) == (name, rest)
    assert tuple(argv[len(argv) - len(found.arguments):]) == found.arguments
    assert found.launched is (argv[0] in ("sudo", "env"))


def test_titles_are_short_and_pieces_of_programs_shorter() -> None:
    assert title(["sh", "-c", "x" * 100_000]) == f"sh -c '{'x' * 39}…'"
    assert title(["/bin/" + "n" * 4096]) == "n" * 79 + "…"
    assert title(["node", "/" + "a/" * 2000 + "node_modules/" + "b" * 3000 + "/index.js"]) == "b" * 79 + "…"


def test_nothing_that_a_program_is_given_breaks_it() -> None:
    chance = random.Random(3)
    bits = ["env", "sudo", "-u", "-S", "-c", "-", "--", "", "/", "A=1", "python3", "-m", "sh", "+o", "node", "java", "-jar", "npm", "run", "bun",
    "deno",
            "--type=renderer", "--type=", "\udcff", "\n\x1b[2J", "x y", "-S a b", "timeout", "=", "-=", "busybox", "ld.so", "perl", "-e", "..", "./"]
    for _ in range(20_000):
        argv = chance.choices(bits, k=chance.randrange(7))
        found = titled(argv, chance.choice([None, *bits]), chance.choice([None, *bits]), "comm")
        assert found.text
        assert found.arguments == tuple(argv[len(argv) - len(found.arguments):]) or "-S" in "".join(argv)


def test_thousands_of_arguments_take_no_time() -> None:
    begun = time.process_time()
    for word in ("env", "-u", "A=1", "-", "sudo", "timeout", "--", "npm", "python3", "-S" + " x" * 9):
        title(["env", *[word] * 8000])
        title(["python3", *[word] * 8000])
        title(["npm", *[word] * 8000])
    assert time.process_time() - begun < 1
