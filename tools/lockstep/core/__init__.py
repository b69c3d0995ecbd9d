"""Pure values and decisions: nothing here touches a file, a process, the network or the clock."""
