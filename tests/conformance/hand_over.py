"""What the conformance suite starts for each scenario with a login: whoever listens at PORT logs in at its URL.

A process of its own for each would spend its time on imports. Usage: python hand_over.py PORT URL
"""

import os
import socket
import sys

port, url = sys.argv[1:]
if os.environ["MCP_CONFORMANCE_SCENARIO"].startswith("auth/"):
    with socket.create_connection(("127.0.0.1", int(port))) as listener:
        listener.sendall(f"{url}\n".encode())
        listener.recv(1)  # the end
