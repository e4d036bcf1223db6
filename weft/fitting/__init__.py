"""Tries several models on a table or folder: candidates, folds, a leaderboard, and a run directory of the best one."""
