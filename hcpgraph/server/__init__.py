"""`hcpgraph serve`: an editor in the browser and the API below it. This process never imports torch.

Graphs are looked at in small helper processes (`pool`), runs happen in one warm worker process (`supervisor`); what
is here answers requests and moves bytes.
"""

LANGUAGES = ("en", "zh-CN")
