"""Control of the flow: loops, branches, order."""
