"""migrating.py PAGE METHODS OPENAPI CLIENT SSE-SERVE SSECTL: for migrating_test.sh. METHODS lists the public methods of the
Java library, a line for each section of the page's table. Exits with 1 and a sentence for each fault."""
import json, re, subprocess, sys

page, methods, openapi, client, serve, ctl = sys.argv[1:]
faults = []


def fault(sentence):
    faults.append(f"{page}: {sentence}")


def rows(lines):
    """(section, names, lines of the text) for each .It of the table; the names may stand between .It Xo and .Xc."""
    section, names, text, in_names = None, [], [], False
    for line in lines:
        if line.startswith(".Ss "):
            section = line[4:]
        elif line.startswith(".It "):
            names, text, in_names = [], [], line == ".It Xo"
            if not in_names:
                names += re.findall(r"\w+", line[4:])
            yield section, names, text
        elif line == ".Xc":
            in_names = False
        elif in_names:
            names += re.findall(r"\w+", line)
        else:
            text.append(line)


def check_names(table):
    expected = {}
    for line in open(methods):
        section, _, names = line.strip().partition(": ")
        expected[section] = names.split()
    found = {}
    for section, names, _ in table:
        found.setdefault(section, []).extend(names)
    for section in expected.keys() | found.keys():
        if sorted(found.get(section, [])) != expected.get(section, []):
            both = set(found.get(section, [])) ^ set(expected.get(section, []))
            fault(f"'{section}' has other methods than the library, or one twice: {sorted(both)}")
    return sum(map(len, found.values()))


helps = {}


def help_of(*words):
    """The help of a command and whether it is that of a command without commands of its own; None: there is none."""
    if words not in helps:
        done = subprocess.run([*words, "--help"], capture_output=True, text=True, timeout=60)
        helps[words] = done.stdout if done.returncode == 0 else None
    return helps[words]


def check_command(text):
    words = text.split()
    command = re.match(r"ssectl (?:--local )?((?:[a-z]+ ?)+)", text + " ")[1].split()
    text_of_help = help_of(ctl, *command)
    if text_of_help is None or f"ssectl {' '.join(command)} [options]" not in text_of_help or "] command" in text_of_help:
        fault(f"'{text}' is no command of ssectl")
        return
    for option in words:
        if option.startswith("--") and not re.search(rf"{option}\b", text_of_help + help_of(ctl)):
            fault(f"'{text}': {option} is no option of it")


def main():
    lines = open(page).read().split("\n")
    begin = next(i for i, line in enumerate(lines) if line.startswith(".Sh EVERY METHOD"))
    end = next(i for i in range(begin + 1, len(lines)) if lines[i].startswith(".Sh "))
    table = list(rows(lines[begin:end]))
    count = check_names(table)
    for section, names, text in table:
        if not "".join(text).strip():
            fault(f"'{section}': nothing takes the place of {', '.join(names)}")
    paths = json.load(open(openapi))["paths"]
    source = open(client).read()
    calls = commands = requests = 0
    for line in lines:
        for method, path in re.findall(r"\b(GET|POST|DELETE|PUT) (/api/[\w/{}-]+)", line):
            requests += 1
            if method.lower() not in paths.get(path, {}):
                fault(f"the API has no {method} {path}")
        if line.startswith(".Ql ssectl "):
            commands += 1
            check_command(line[4:].rstrip(" ,;.:"))
        if re.match(r"\.Ql (client|Target|Filter|Options|connection|message|sent|user)?\.", line):
            for name in re.findall(r"\.(\w+)\(", line):
                calls += 1
                if not re.search(rf"\bpublic [^;=]*\b{name}\(", source):
                    fault(f"the client has no method {name}")
        for option in re.findall(r"Fl -([a-z-]+)", line):
            if not re.search(rf"--{option}\b", help_of(serve)):
                fault(f"sse-serve has no option --{option}")
    if min(calls, commands, requests) < 15:
        fault(f"only {calls} calls, {commands} commands and {requests} requests were found")
    print("\n".join(faults) or f"{count} methods, {calls} calls, {commands} commands, {requests} requests")
    return 1 if faults else 0


sys.exit(main())
