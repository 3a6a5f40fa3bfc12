"""Speed and memory of nengo_dl, measured against nengo.Simulator."""
