"""From a table or a folder to the best of several models: candidates, folds, a leaderboard, a run directory."""
