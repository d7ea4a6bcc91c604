"""Reads sets that we wrote with the reference readers of their formats, and counts what they see.

python check.py KIND PATH → one line of JSON
"""

import json
import sys


def coco(path):
    from pycocotools import mask
    from pycocotools.coco import COCO

    found = COCO(f"{path}/annotations/instances_train.json")
    masks = [found.annToMask(one) for one in found.anns.values() if one["segmentation"]]
    keypoints = COCO(f"{path}/annotations/person_keypoints_train.json")
    return {
        "images": len(found.imgs),
        "annotations": len(found.anns),
        "areas": sorted(int(one.sum()) for one in masks),
        "rle": sorted(int(mask.area(one["segmentation"])) for one in found.anns.values() if isinstance(one["segmentation"], dict)),
        "keypoints": [one["num_keypoints"] for one in keypoints.anns.values()],
        "skeleton": [one.get("skeleton") for one in keypoints.cats.values() if one.get("skeleton")],
        "captions": [one["caption"] for one in COCO(f"{path}/annotations/captions_train.json").anns.values()],
    }


def datumaro(path, name):
    from datumaro.components.dataset import Dataset

    set_ = Dataset.import_from(path, name)
    kinds = {}
    for item in set_:
        for one in item.annotations:
            kinds[one.type.name] = kinds.get(one.type.name, 0) + 1
    return {"items": len(set_), "subsets": sorted(set_.subsets()), "kinds": kinds}


def brush(path):
    from label_studio_converter.brush import decode_rle

    tasks = json.load(open(f"{path}/tasks.json"))
    areas = []
    for task in tasks:
        for result in task["annotations"][0]["result"]:
            if result["type"] == "brushlabels":
                areas.append(int((decode_rle(result["value"]["rle"]).reshape(-1, 4)[:, 3] > 0).sum()))
    return {"tasks": len(tasks), "areas": areas}


kind, path = sys.argv[1:3]
real, sys.stdout = sys.stdout, sys.stderr
answer = coco(path) if kind == "coco" else brush(path) if kind == "label-studio" else datumaro(path, kind.removeprefix("dm-"))
print(json.dumps(answer), file=real)
