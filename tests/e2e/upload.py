"""Uploads zeros: `upload.py ADDRESS PORT METHOD TARGET BYTES length|chunked`; prints the status."""
import http.client, sys

address, port, method, target, size, framing = sys.argv[1:]
left = int(size)


def pieces():
    global left
    while left > 0:
        piece = bytes(min(left, 65536))
        left -= len(piece)
        yield piece


connection = http.client.HTTPConnection(address, int(port), timeout=50)
headers = {"Content-Length": size} if framing == "length" else {}
connection.request(method, target, body=pieces(), headers=headers, encode_chunked=framing == "chunked")
answer = connection.getresponse()
answer.read()
print(answer.status)
