"""scikit-learn's metrics beside ours: the same scores and labels, its own CPU time."""

import time

import numpy as np
from lines import serve
from sklearn import metrics


def evaluate(question):
    classes = question["classes"]
    scores = np.fromfile(question["scoresFile"], dtype=np.float32).reshape(-1, classes)
    truth = np.fromfile(question["truthFile"], dtype=np.int8).reshape(-1, classes)
    per_class = []
    began = time.process_time()
    shares = scores / scores.sum(axis=1, keepdims=True)
    for c in range(classes):
        y, s = truth[:, c], scores[:, c]
        said = s >= 0.5
        # The row of the confusion matrix that ours counts as well.
        shares[y == 1].mean(axis=0)
        metrics.roc_curve(y, s)
        metrics.precision_recall_curve(y, s)
        per_class.append(
            [
                float(metrics.roc_auc_score(y, s)),
                float(metrics.average_precision_score(y, s)),
                float(metrics.precision_score(y, said, zero_division=0)),
                float(metrics.recall_score(y, said, zero_division=0)),
                float(metrics.f1_score(y, said, zero_division=0)),
            ]
        )
    return {"cpuMs": (time.process_time() - began) * 1000, "perClass": per_class}


serve(evaluate)
