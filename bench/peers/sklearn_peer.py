"""scikit-learn's logistic regression beside our training: the same vectors, one thread, its own CPU time."""

import time
import warnings

import numpy as np
from lines import serve
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore", ConvergenceWarning)


def load(name, question):
    vectors = np.fromfile(question[name], dtype=np.float32).reshape(-1, question["dims"])
    labels = np.fromfile(question[name + "Labels"], dtype=np.int32)
    rows = question.get(name + "Rows", len(labels))
    return vectors[:rows], labels[:rows]


def fit(question):
    vectors, labels = load("train", question)
    model = LogisticRegression(C=question["c"], max_iter=question.get("iterationsMax", 1000))
    began, wall = time.process_time(), time.perf_counter()
    model.fit(vectors, labels)
    cpu, wall = time.process_time() - began, time.perf_counter() - wall
    held, truth = load("test", question)
    return {
        "cpuMs": cpu * 1000,
        "wallMs": wall * 1000,
        "accuracy": float((model.predict(held) == truth).mean()),
    }


serve(fit)
