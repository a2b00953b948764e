"""What happens in helper processes, so that the event loop answers: checking graphs, specs, thumbnails, reports."""
