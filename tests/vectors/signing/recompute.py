"""Recomputes every signing vector beside this file, from the description of the format alone.

Shares nothing with the product: another language, another HMAC, another way to sort. Prints one line for each
difference and ends with status 1 when there is one.
Source: wire-protocol 5.1 to 5.5.
"""

import hashlib
import hmac
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


def load(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def signed_query(query):
    parameters = {}
    for piece in (query or "").split("&"):
        name, _, value = piece.partition("=")
        if name:
            name = name.lower()
            parameters[name + value] = name + ("=" + value if value else "")
    return "&".join(text for _, text in sorted(parameters.items()))


def split_target(target):
    target = target.split("#", 1)[0]
    stem, mark, query = target.partition("?")
    if "://" in stem and not stem.startswith("/"):
        rest = stem.split("://", 1)[1]
        stem = "/" + rest.split("/", 1)[1] if "/" in rest else "/"
    elif not stem.startswith("/") and stem != "*":
        stem = ""
    return stem, query if mark else None


def canonical(vector):
    fields = {}
    for name, value in vector["headers"]:
        fields[name.lower()] = value.strip(" \t")
    fields.pop("x-ms-azure-host-authorization", None)
    lines = "".join("%s:%s\n" % field for field in sorted(fields.items()))
    path, query = split_target(vector["target"])
    text = (lines + path + "\n" + signed_query(query)).encode("ascii")
    return vector["method"].encode("ascii") + b"\n" + bytes.fromhex(vector["bodyHex"]) + b"\n" + text


def mac(key_hex, message):
    return hmac.new(bytes.fromhex(key_hex), message, hashlib.sha256).hexdigest()


def main():
    differences = []
    checked = 0

    def compare(what, expected, actual):
        nonlocal checked
        checked += 1
        if expected != actual:
            differences.append("%s: expected %r, got %r" % (what, expected, actual))

    requests = load("requests.json")
    for vector in requests["vectors"]:
        text = canonical(vector)
        compare(vector["id"] + " length", vector["canonicalLength"], len(text))
        compare(vector["id"] + " sha256", vector["canonicalSha256"], hashlib.sha256(text).hexdigest())
        compare(vector["id"] + " signature", vector["signature"], mac(requests["keyHex"], text))
    for vector in load("hmac.json")["vectors"]:
        message = bytes.fromhex(vector["messageHex"])
        compare("hmac " + vector["id"], vector["mac"], mac(vector["keyHex"], message))
    for vector in load("queries.json")["vectors"]:
        compare("query " + vector["id"], vector["signed"], signed_query(vector["query"]))

    for line in differences:
        print(line)
    print("checked %d values, %d differences" % (checked, len(differences)))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
