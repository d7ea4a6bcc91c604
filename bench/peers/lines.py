"""One JSON question per line in, one JSON answer per line out."""

import json
import sys


def serve(answer):
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
