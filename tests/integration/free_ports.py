"""usage: free_ports.py COUNT PID

Prints so many ports of 127.0.0.1 on which no process listens, for programs that cannot pick one themselves. No other test
gets them while the process PID lives. They are below those that the system gives to others meanwhile
(net.ipv4.ip_local_port_range begins at 32768).
"""
import fcntl
import os
import random
import socket
import sys
import tempfile


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def reserve(count, pid=None):
    """Returns a list of ports. Without a process they are those of this one."""
    with open(f"{tempfile.gettempdir()}/sse-test-ports-{os.getuid()}", "a+", encoding="ascii") as table:
        fcntl.flock(table, fcntl.LOCK_EX)
        table.seek(0)
        owners = {int(port): int(owner) for port, owner in (line.split() for line in table)}
        owners = {port: owner for port, owner in owners.items() if lives(owner)}
        ports = []
        while len(ports) < count:
            port = random.randrange(10000, 32000)
            if port not in owners and is_free(port):
                owners[port] = pid or os.getpid()
                ports.append(port)
        table.seek(0)
        table.truncate()
        table.writelines(f"{port} {owner}\n" for port, owner in owners.items())
    return ports


if __name__ == "__main__":
    print(*reserve(int(sys.argv[1]), int(sys.argv[2])))
