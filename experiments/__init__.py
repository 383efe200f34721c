"""Commands: what is asked of all the other packages."""

from maze_gen.packages import refuse_hidden

refuse_hidden("env", "auxiliary", "agents")
