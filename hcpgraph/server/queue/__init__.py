"""Runs: the queue and its history, the worker process and who watches over it, what runs tell the pages."""
