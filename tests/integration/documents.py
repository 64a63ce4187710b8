"""Executes the blocks of documents in order, and compares what they print with what the document shows.

usage: documents.py SCRATCH PORTS MAX-NOT-RUN DOCUMENT...

A block of Markdown is fenced; one of a manual page is `.Bd -literal` ... `.Ed`. A block of commands has lines that begin
with `$ `, each followed by its output, in which `…` (in a manual page `...`) stands for any text, and on a line of its own
for any lines; lines of the log do not count. A comment right before a block (`<!-- … -->`, `.\\" …`) says:

    not run: REASON                         it is not executed; these are printed, and at most MAX-NOT-RUN
    file: NAME                              it is written to that file
    file: NAME; run: COMMAND; prints: TEXT  and then run; it must exit with 0 and print TEXT

A block of a program that is not installed counts as not run. Every document has a shell and a folder of its own. PORTS
replace those of the documents, 8080, 9090, 7601 and 7602.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 20
DOCUMENTED_PORTS = ("8080", "9090", "7601", "7602")


class Block:
    def __init__(self, where, lines, note):
        self.where, self.lines, self.note = where, lines, note


def markdown_blocks(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    blocks, note, at = [], "", 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```"):
            end = at + 1
            while not lines[end].startswith("```"):
                end += 1
            blocks.append(Block(f"{path.name}:{at + 1}", lines[at + 1:end], note))
            note, at = "", end
        elif line.startswith("<!-- "):
            note = line.removeprefix("<!-- ").removesuffix(" -->")
        elif line.strip():
            note = ""
        at += 1
    return blocks


def unescaped(line):
    return line.removeprefix("\\&").replace("\\e", "\\").replace("\\(dq", '"').replace("\\-", "-").replace("...", "…")


def manual_blocks(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    blocks, note, at = [], "", 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(".Bd -literal"):
            end = lines.index(".Ed", at)
            blocks.append(Block(f"{path.name}:{at + 1}", [unescaped(one) for one in lines[at + 1:end]], note))
            note, at = "", end
        elif line.startswith('.\\" ') and re.match(r"(not run|file): ", line[4:]):
            note = line[4:]
        elif line.strip():
            note = ""
        at += 1
    return blocks


def pattern(expected):
    parts = []
    for line in expected:
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part.rstrip() if part is line else part) for part in line.split("…")) + r" *\n")
    return re.compile("".join(parts) + r"\s*\Z")


class Shell:
    def __init__(self, folder, port):
        self.folder, self.count = folder, 0
        reader, writer = os.pipe()
        self.marks = os.fdopen(reader)
        self.bash = subprocess.Popen(["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, text=True, cwd=folder,
                                     pass_fds=[writer], start_new_session=True,
                                     env={**os.environ, "XDG_RUNTIME_DIR": str(folder / "run"),
                                          "XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder),
                                          "SSE_SERVE_LISTEN": "127.0.0.1:" + port})
        self.mark = writer
        for name in ("run", "state"):
            (folder / name).mkdir(mode=0o700)

    def run(self, command, expected):
        """Returns the exit status and the output, for a command in the background once it is as expected."""
        self.count += 1
        out = self.folder.parent / f"{self.folder.name}.{self.count}"
        background = command.rstrip().endswith("&")
        self.bash.stdin.write(f"{{ {command}\n}} >{out} 2>&1 </dev/null {self.mark}>&-\necho $? >&{self.mark}\n")
        self.bash.stdin.flush()
        status = int(self.marks.readline())
        end = time.monotonic() + SECONDS
        while True:
            text = re.sub(r"(?m)^\d{4}-\d\d-\d\dT\S+Z (debug|info|warning|error) .*\n", "",
                          out.read_text(encoding="utf-8", errors="replace"))
            text += "" if text.endswith("\n") else "\n"
            if not background or pattern(expected).match(text) or time.monotonic() > end:
                return status, text
            time.sleep(0.05)

    def close(self):
        self.bash.stdin.write("kill $(jobs -p) 2>/dev/null; wait; exit\n")
        self.bash.stdin.flush()
        try:
            self.bash.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.bash.kill()


def fail(block, sentence):
    print(f"{block.where}: {sentence}", file=sys.stderr)
    sys.exit(1)


def commands_of(block):
    """Commands with the lines that follow them."""
    commands = []
    for line in block.lines:
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands and commands[-1][0].endswith("\\") and not commands[-1][1]:
            commands[-1] = (commands[-1][0] + "\n" + line, [])
        elif not commands:
            fail(block, "a block begins with a command ($ …), or a comment before it says what it is")
        else:
            commands[-1][1].append(line)
    return commands


def execute(shell, block, replaced):
    for command, expected in commands_of(block):
        command = re.sub(r"\s+# .*", "", command) if "# " in command else command
        while expected and not expected[-1].strip():
            expected.pop()
        expected = [replaced(line) for line in expected]
        status, text = shell.run(replaced(command), expected)
        if not pattern(expected).match(text):
            fail(block, f"'{command}' printed\n{text}and not\n" + "\n".join(expected))


def run_program(shell, block, command, prints, replaced):
    status, text = shell.run(replaced(command), [])
    if status != 0 or prints not in text:
        fail(block, f"'{command}' exited with {status} and printed\n{text}and not {prints}")


def run_document(path, folder, ports, not_run):
    def replaced(text):
        return re.sub(r"\b(" + "|".join(DOCUMENTED_PORTS) + r")\b", lambda found: ports[found.group()], text)

    blocks = markdown_blocks(path) if path.suffix == ".md" else manual_blocks(path)
    folder.mkdir()
    shell = Shell(folder, ports["8080"])
    try:
        for block in blocks:
            fields = dict(part.split(": ", 1) for part in block.note.split("; ") if ": " in part)
            if "not run" in fields:
                not_run.append(f"{block.where}: {block.note.removeprefix('not run: ')}")
            elif "file" in fields:
                file = folder / fields["file"]
                file.parent.mkdir(exist_ok=True)
                file.write_text(replaced("\n".join(block.lines)) + "\n", encoding="utf-8")
                if "run" not in fields:
                    continue
                if shutil.which(fields["run"].split()[0]) is None:
                    not_run.append(f"{block.where}: {fields['run'].split()[0]} is not installed")
                else:
                    run_program(shell, block, fields["run"], fields["prints"], replaced)
            else:
                execute(shell, block, replaced)
    finally:
        shell.close()
    return len(blocks)


def main():
    scratch, ports, most, *documents = sys.argv[1:]
    ports = dict(zip(DOCUMENTED_PORTS, ports.split(",")))
    not_run, count = [], 0
    for number, document in enumerate(documents):
        count += run_document(Path(document), Path(scratch) / f"d{number}", ports, not_run)
    for one in not_run:
        print(f"not run: {one}")
    print(f"{count} blocks, {len(not_run)} not run")
    if count < 10 or len(not_run) > int(most):
        print(f"at most {most} blocks may be left out", file=sys.stderr)
        sys.exit(1)


main()
