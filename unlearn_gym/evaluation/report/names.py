"""What rows and metrics are called where people read: the words of the request in the place of identifiers."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath

from unlearn_gym.evaluation.experiment import Entry, Experiment
from unlearn_gym.evaluation.results import Results
from unlearn_gym.metrics.glossary import GLOSSARY

METRICS = {
    "retain_loss": "loss on what is kept",
    "forget_loss": "loss on what is forgotten",
    "concept_rate": "{forgotten} among {label}",
    "label_accuracy": "{label} recognised",
    "attack_concept_rate": "{forgotten} under a condition attack",
    "attack_gap": "{forgotten} under a condition attack, above the retrained model",
    "overlap_concept_rate": "{forgotten} half-way to other labels",
    "overlap_gap": "{forgotten} half-way to other labels, above the retrained model",
    "unlearning_accuracy": "{label} forgotten",
    "overridden": "{label} recognised as others",
    "forget_probability": "probability of {label}",
    "forget_entropy": "entropy under {label}",
    "precision": "precision on what is kept",
    "recall": "recall on what is kept",
    "passes_per_sample": "passes a sample",
    "neither_rate": "unrecognisable {label}",
    "class_accuracy": "other labels recognised",
    "fid_forget": "FID to what is forgotten",
    "kid_forget": "KID to what is forgotten",
    "fid_retain": "FID to what is kept",
    "kid_retain": "KID to what is kept",
    "fid_retrained": "FID to the retrained model",
    "kid_retrained": "KID to the retrained model",
    "ssim_forget": "likeness to forgotten images",
    "ssim_retain": "likeness to kept images",
    "inception_score": "Inception Score",
    "nll_forget": "bits per dimension of forgotten images",
    "nll_retain": "bits per dimension of kept images",
    "mia_auc": "membership AUC",
    "mia_auc_calibrated": "calibrated membership AUC",
    "tpr_at_fpr": "members told with few false alarms",
    "unlearn_score": "unlearning score",
    "retain_acc": "accuracy on what is kept",
    "forget_acc": "accuracy on what is forgotten",
    "forget_mia_auc": "membership AUC",
    "mia_gap": "membership gap",
    "retain_acc_gap": "distance to the retrained model: kept",
    "forget_acc_gap": "distance to the retrained model: forgotten",
    "auc_gap": "distance to the retrained model: membership",
    "kl_retain": "KL to the retrained model: kept",
    "kl_forget": "KL to the retrained model: forgotten",
    "r2_wanted": "R² on wanted points",
    "r2_unwanted": "R² on unwanted points",
    "r2_exp": "closeness to unwanted points",
    "fair_r2": "Fair R²",
    "forward_rows": "rows forward",
    "backward_rows": "rows backward",
    "seconds_per_update": "seconds an update",
}
"""Metric → words; one without is called by its own name."""
VARIANTS = (
    (re.compile(r"(?P<of>\w+)_at_retain"), "{of} at equal retain quality"),
    (re.compile(r"quantised_(?P<of>\w+)_(?P<bits>\d+)bit"), "{of} at {bits} bits"),
    (re.compile(r"relearn_(?P<what>auc|steps|gap)_(?P<on>\w+)"), "relearning {what} ({on} images)"),
)
"""Names made from those of other metrics → words."""
AGENTS = {
    "ppo": "PPO",
    "recurrent_ppo": "recurrent PPO",
    "sac": "SAC",
    "tqc": "TQC",
    "crossq": "CrossQ",
    "adaptive_vi": "adaptive VI",
    "primal_dual": "primal–dual",
    "cem": "CEM",
}
DIGITS = ("zeros", "ones", "twos", "threes", "fours", "fives", "sixes", "sevens", "eights", "nines")


def metric_name(results: Results, metric: str) -> str:
    """Return what a reader calls a metric of this request, such as "ankle boots among ones"."""
    for pattern, words in VARIANTS:
        if found := pattern.fullmatch(metric):
            parts = {key: metric_name(results, part) for key, part in found.groupdict().items()}
            return words.format(**parts)
    if metric not in METRICS:
        return metric
    forgotten = _plural(results.forgotten) or "the forgotten concept"
    return METRICS[metric].format(forgotten=forgotten, label=_label(results.label))


def metric_note(metric: str) -> str:
    """Return what is shown on hover: the metric's name and definition."""
    return f"{metric}: {GLOSSARY[metric].definition}"


def row_names(experiment: Experiment) -> dict[str, str]:
    """Return name of an agent → what a reader calls it; two agents never share a name."""
    wanted = {entry.name: _row_name(entry) for entry in experiment.entries}
    taken = Counter((*wanted.values(), *(name for name, words in wanted.items() if words != name)))
    return {name: words if taken[words] == 1 else name for name, words in wanted.items()}


def _row_name(entry: Entry) -> str:
    """Return a row's own name where somebody gave it one, and otherwise read the word that it was made from."""
    if entry.description:
        return entry.name
    if constant := re.fullmatch(r"static:([\d.]+)(?::([\d.]+))?", entry.name):
        return f"λ = {constant[1]}" + (f", rate × {constant[2]}" if constant[2] else "")
    if entry.name in AGENTS and entry.run_folder is None:
        return AGENTS[entry.name]
    last = PurePath(entry.name).name
    return AGENTS.get(last, last) if entry.run_folder is not None else entry.name


def _plural(name: str) -> str:
    return name if not name or name.endswith("s") else f"{name}s"


def _label(name: str) -> str:
    if not name:
        return "samples"
    return DIGITS[int(name)] if re.fullmatch(r"\d", name) else f"“{name}”"
