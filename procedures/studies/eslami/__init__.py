"""The study of arXiv 2408.14680 (Eslami et al.), a reconstruction: plan and claims."""

STUDY = "eslami"
