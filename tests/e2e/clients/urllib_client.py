"""Python's urllib, unmodified: a JSON list of [method, url, headers, body or null] in, one line of JSON out."""
import json, sys, urllib.error, urllib.request

answers = []
for method, url, headers, body in json.loads(sys.argv[1]):
    request = urllib.request.Request(
        url, method=method, headers=headers, data=None if body is None else body.encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            answers.append([answer.status, answer.headers["x-ms-azure-host-authorization"], answer.read().decode()])
    except urllib.error.HTTPError as error:
        answers.append([error.code, error.headers["x-ms-azure-host-authorization"], error.read().decode()])
print(json.dumps(answers))
